//! Who can carry the packets from gateway to gateway: one file each.

mod libipsec;
mod openvpn;
mod plain;
mod relay;
pub mod strongswan;
pub mod uxfrm;
mod wireguard;

use std::path::{Path, PathBuf};

use super::daemon::Daemon;
use super::lab::Lab;

/// A way to carry packets between two gateways.
pub trait Peer {
    /// Its name in tables.
    fn name(&self) -> String;
    /// What is missing on this machine, and how to get it.
    fn missing(&self) -> Option<String>;
    /// Which program in which version, with which algorithm.
    fn version(&self) -> String;
    /// Starts it on both gateways and sets routes; packets may need a moment still.
    ///
    /// # Errors
    /// When it does not start or can't be configured.
    fn start(&self, lab: &Lab) -> anyhow::Result<Vec<Daemon>>;
}

/// Names that `--peers` takes.
pub const NAMES: [&str; 9] =
    ["plain", "relay", "uxfrm", "libipsec", "openvpn", "openvpn128", "boringtun", "gotatun", "wireguard-go"];

/// Where programs are found and how ESP is configured.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Builds of the `uxfrm` program; one peer for each.
    pub uxfrm: Vec<PathBuf>,
    /// A directory with programs that no Debian package holds; looked at before `PATH`.
    pub programs: PathBuf,
    /// ESP proposal in swanctl's words.
    pub esp: String,
    /// Numbers of uxfrm's workers; one peer for each.
    pub workers: Vec<usize>,
    /// SAs of uxfrm for single streams of TCP, beside the one for everything.
    pub streams: u16,
    /// More lines for the configuration of uxfrm's children.
    pub child: String,
}

/// The peer or peers of a name.
pub fn find(name: &str, settings: &Settings) -> Vec<Box<dyn Peer>> {
    match name {
        "plain" => vec![Box::new(plain::Plain)],
        "relay" => vec![Box::new(relay::Relay)],
        "uxfrm" => {
            let builds =
                settings.uxfrm.iter().flat_map(|build| settings.workers.iter().map(move |w| (build, *w)));
            let peer = |(build, workers): (&PathBuf, usize)| -> Box<dyn Peer> {
                Box::new(uxfrm::Uxfrm::new(settings, build, workers))
            };
            builds.map(peer).collect()
        }
        "libipsec" => vec![Box::new(libipsec::LibIpsec { esp: settings.esp.clone() })],
        "openvpn" => vec![Box::new(openvpn::OpenVpn { key_bits: 256 })],
        "openvpn128" => vec![Box::new(openvpn::OpenVpn { key_bits: 128 })],
        _ => wireguard(name, settings).into_iter().collect(),
    }
}

const CARGO_INSTALL: [&str; 2] = [
    "cargo install --locked --root target/peers boringtun-cli",
    "cargo install --locked --root target/peers gotatun-cli",
];
const UNPACK: &str =
    "Debian's package wireguard-go of trixie or newer, unpacked there; bookworm's, of 2022, knows no offload";
const FOREGROUND: &[&str] = &["--foreground", "--disable-drop-privileges", "--verbosity", "error"];

/// The implementations of WireGuard.
fn wireguard(name: &str, settings: &Settings) -> Option<Box<dyn Peer>> {
    let (name, program, arguments, how) = match name {
        "boringtun" => ("boringtun", "boringtun-cli", FOREGROUND, CARGO_INSTALL[0]),
        "gotatun" => ("gotatun", "gotatun", FOREGROUND, CARGO_INSTALL[1]),
        "wireguard-go" => ("wireguard-go", "wireguard-go", &["-f"][..], UNPACK),
        _ => return None,
    };
    Some(Box::new(wireguard::WireGuard { name, program: settings.programs.join(program), arguments, how }))
}

/// The first line that a program prints about its version, or that it is not there.
fn version_line(program: &Path, argument: &str) -> Option<String> {
    let output = std::process::Command::new(program).arg(argument).output().ok()?;
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Some(text.lines().next().unwrap_or_default().trim().to_owned())
}
