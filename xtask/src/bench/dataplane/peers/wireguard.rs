//! WireGuard in user space: `wg` configures all implementations over the same kind of socket.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::ensure;

use super::super::daemon::Daemon;
use super::super::lab::{Lab, Side, control_socket, shell};
use super::{Peer, version_line};

/// One implementation of WireGuard on both gateways.
pub struct WireGuard {
    /// Its name in tables.
    pub name: &'static str,
    /// The path of its program.
    pub program: PathBuf,
    /// What stands before the interface's name on its command line.
    pub arguments: &'static [&'static str],
    /// How to get it.
    pub how: &'static str,
}

impl Peer for WireGuard {
    fn name(&self) -> String {
        self.name.into()
    }

    fn missing(&self) -> Option<String> {
        if !self.program.exists() {
            return Some(format!("no {} ({})", self.program.display(), self.how));
        }
        let has = Command::new("wg").arg("--version").output().is_ok();
        (!has).then(|| "apt-get install wireguard-tools".into())
    }

    fn version(&self) -> String {
        let line = version_line(&self.program, "--version").unwrap_or_default();
        format!("{line}, ChaCha20-Poly1305, TUN MTU 1420")
    }

    fn start(&self, lab: &Lab) -> anyhow::Result<Vec<Daemon>> {
        let mut daemons = Vec::new();
        for side in Side::BOTH {
            let key = lab.path(side, "key");
            shell(&format!("umask 077; wg genkey > {0}; wg pubkey < {0} > {0}.pub", key.display()))?;
            let mut command = Command::new(&self.program);
            command.args(self.arguments).arg(lab.interface(side));
            daemons.push(Daemon::start(&lab.gateway(side), &mut command, &lab.path(side, "out"))?);
        }
        for side in Side::BOTH {
            configure(lab, side)?;
        }
        Ok(daemons)
    }
}

fn configure(lab: &Lab, side: Side) -> anyhow::Result<()> {
    let (gateway, interface, other) = (lab.gateway(side), lab.interface(side), side.other());
    let socket = control_socket(&interface);
    let begun = Instant::now();
    while !socket.exists() {
        ensure!(begun.elapsed() < Duration::from_secs(10), "{} does not appear", socket.display());
        std::thread::sleep(Duration::from_millis(20));
    }
    let peer = fs::read_to_string(format!("{}.pub", lab.path(other, "key").display()))?;
    lab.exec(
        &gateway,
        &format!(
            "wg set {interface} private-key {} listen-port 51820 peer {} allowed-ips {} endpoint {}:51820",
            lab.path(side, "key").display(),
            peer.trim(),
            other.network(),
            other.address()
        ),
    )?;
    shell(&format!("ip -n {gateway} link set {interface} mtu 1420 up"))?;
    lab.route_into(side, &interface)
}
