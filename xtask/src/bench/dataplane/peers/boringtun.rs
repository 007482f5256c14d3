//! Cloudflare's WireGuard in Rust.

use std::path::PathBuf;

use super::super::daemon::Daemon;
use super::super::lab::Lab;
use super::{Peer, version_line, wireguard};

const HOW: &str = "cargo install --locked --root target/peers boringtun-cli";

/// BoringTun on both gateways; the path of its program.
pub struct BoringTun(pub PathBuf);

impl Peer for BoringTun {
    fn name(&self) -> String {
        "boringtun".into()
    }

    fn missing(&self) -> Option<String> {
        wireguard::missing(&self.0, HOW)
    }

    fn version(&self) -> String {
        format!("{}, ChaCha20-Poly1305, TUN MTU 1420", version_line(&self.0, "--version").unwrap_or_default())
    }

    fn start(&self, lab: &Lab) -> anyhow::Result<Vec<Daemon>> {
        wireguard::start(lab, &self.0, &["--foreground", "--disable-drop-privileges", "--verbosity", "error"])
    }
}
