//! The devices whose configuration can be downloaded.

use causeway_peerconfig::swanctl::{self, Options};
use causeway_peerconfig::{PeerConfig, cisco, h3c};
use serde_json::{Value, json};

/// Makes a device's text from the facts and the name of its outer interface; the error says what it lacks.
type Render = fn(&PeerConfig, &str) -> Result<String, String>;

/// A device: `VendorName`, `Platform`, `SoftwareVersion`, and its text.
pub struct Vendor {
    name: &'static str,
    platform: &'static str,
    version: &'static str,
    /// Makes the text.
    pub render: Render,
}

/// Every device.
pub static VENDORS: [Vendor; 3] = [
    Vendor { name: "cisco", platform: "ios", version: "V15.4", render: cisco_text },
    Vendor { name: "h3c", platform: "comware", version: "V1.0", render: h3c_text },
    // Not a device of the cloud's list: a Linux host is the far end that everybody has.
    Vendor { name: "strongswan", platform: "linux", version: "V5.9", render: strongswan_text },
];

/// The device with these three words.
pub fn find(name: &str, platform: &str, version: &str) -> Option<&'static Vendor> {
    VENDORS.iter().find(|it| it.name == name && it.platform == platform && it.version == version)
}

/// `CustomerGatewayVendor`.
pub fn vendor(it: &Vendor) -> Value {
    json!({"VendorName": it.name, "Platform": it.platform, "SoftwareVersion": it.version})
}

fn cisco_text(config: &PeerConfig, interface: &str) -> Result<String, String> {
    cisco::render(config, interface).map_err(|error| error.to_string())
}

fn h3c_text(config: &PeerConfig, interface: &str) -> Result<String, String> {
    h3c::render(config, interface).map_err(|error| error.to_string())
}

/// strongSwan finds the interface by the route to the gateway.
fn strongswan_text(config: &PeerConfig, _: &str) -> Result<String, String> {
    swanctl::render(config, Options::default()).map_err(|error| error.to_string())
}
