//! What the user-space implementations of WireGuard share: `wg` configures them all over the same socket.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::ensure;

use super::super::daemon::Daemon;
use super::super::lab::{Lab, Side, control_socket, shell};

/// What is missing to run a program.
pub fn missing(program: &Path, how: &str) -> Option<String> {
    if !program.exists() {
        return Some(format!("no {} ({how})", program.display()));
    }
    let has = Command::new("wg").arg("--version").output().is_ok();
    (!has).then(|| "apt-get install wireguard-tools".into())
}

/// Starts a program on both gateways: `PROGRAM ARGUMENTS INTERFACE`.
pub fn start(lab: &Lab, program: &Path, arguments: &[&str]) -> anyhow::Result<Vec<Daemon>> {
    let mut daemons = Vec::new();
    for side in Side::BOTH {
        let key = lab.path(side, "key");
        shell(&format!("umask 077; wg genkey > {0}; wg pubkey < {0} > {0}.pub", key.display()))?;
        let mut command = Command::new(program);
        command.args(arguments).arg(lab.interface(side));
        daemons.push(Daemon::start(&lab.gateway(side), &mut command, &lab.path(side, "out"))?);
    }
    for side in Side::BOTH {
        configure(lab, side)?;
    }
    Ok(daemons)
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
