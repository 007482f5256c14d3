//! What the configuration languages of devices share: text in lines, and words that a device does not have.

use causeway_model::{DhGroup, Encryption, Integrity};
use ipnet::IpNet;

use crate::facts::PeerConfig;

/// The device has no word for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoWord {
    /// An encryption algorithm.
    #[error("the device has no {0:?}")]
    Encryption(Encryption),
    /// An integrity algorithm.
    #[error("the device has no {0:?}")]
    Integrity(Integrity),
    /// A key exchange group.
    #[error("the device has no group {}", .0.0)]
    Group(DhGroup),
    /// IPv6 ranges.
    #[error("the device's text has no {0}")]
    Range(IpNet),
    /// A text that a terminal would read as something else.
    #[error(
        "a device's terminal does not take the {0} as it is: blanks, quotes and question marks mean something there"
    )]
    Text(&'static str),
}

/// Lines that end as terminals of devices want it.
#[derive(Clone, Debug, Default)]
pub struct Text(String);

impl Text {
    /// Adds a line.
    pub fn line(&mut self, line: impl AsRef<str>) {
        self.0.push_str(line.as_ref());
        self.0.push_str("\r\n");
    }

    /// The text.
    pub fn finish(self) -> String {
        self.0
    }
}

/// Refuses what would not reach a device as it is: a key with a blank is read as a type and a key, a question mark
/// calls for help, and a line break begins another command.
///
/// # Errors
/// [`NoWord::Text`].
pub fn check_words(config: &PeerConfig, interface: &str) -> Result<(), NoWord> {
    let is_word =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'"'));
    for tunnel in &config.tunnels {
        let texts = [
            ("pre-shared key", tunnel.psk.expose()),
            ("local identity", &tunnel.local_id),
            ("remote identity", &tunnel.remote_id),
        ];
        if let Some((what, _)) = texts.into_iter().find(|(_, text)| !is_word(text)) {
            return Err(NoWord::Text(what));
        }
    }
    // Names of interfaces may have a blank between kind and number.
    if is_word(&interface.replace(' ', "")) { Ok(()) } else { Err(NoWord::Text("interface name")) }
}

/// A range as address and inverse mask (wildcard).
///
/// # Errors
/// [`NoWord::Range`] for IPv6.
pub fn wildcard(range: &IpNet) -> Result<String, NoWord> {
    match range {
        IpNet::V4(net) => Ok(format!("{} {}", net.network(), net.hostmask())),
        IpNet::V6(_) => Err(NoWord::Range(*range)),
    }
}

/// Whether everything goes into the tunnel, so that routes choose.
pub fn is_route_based(config: &PeerConfig) -> bool {
    config.pairs().all(|(local, remote)| local.prefix_len() == 0 && remote.prefix_len() == 0)
}

/// Whether an identity is an address; others are names.
pub fn is_address(id: &str) -> bool {
    id.parse::<std::net::IpAddr>().is_ok()
}
