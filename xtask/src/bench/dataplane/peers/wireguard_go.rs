//! WireGuard's own implementation in Go, with TUN offload and UDP GSO since 2023.

use std::path::PathBuf;

use super::super::daemon::Daemon;
use super::super::lab::Lab;
use super::{Peer, version_line, wireguard};

const HOW: &str =
    "Debian's package wireguard-go of trixie or newer, unpacked there; bookworm's, of 2022, knows no offload";

/// WireguardGo on both gateways; the path of its program.
pub struct WireguardGo(pub PathBuf);

impl Peer for WireguardGo {
    fn name(&self) -> String {
        "wireguard-go".into()
    }

    fn missing(&self) -> Option<String> {
        wireguard::missing(&self.0, HOW)
    }

    fn version(&self) -> String {
        format!("{}, ChaCha20-Poly1305, TUN MTU 1420", version_line(&self.0, "--version").unwrap_or_default())
    }

    fn start(&self, lab: &Lab) -> anyhow::Result<Vec<Daemon>> {
        wireguard::start(lab, &self.0, &["-f"])
    }
}
