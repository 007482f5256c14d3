//! The floor: a relay between an interface and a UDP socket, in this program.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::ensure;

use super::super::daemon::Daemon;
use super::super::lab::{Lab, Side};
use super::Peer;

/// The relay on both gateways.
pub struct Relay;

impl Peer for Relay {
    fn name(&self) -> String {
        "relay".into()
    }

    fn missing(&self) -> Option<String> {
        None
    }

    fn version(&self) -> String {
        "between an interface and a UDP socket, one packet at a time, no encryption: the floor".into()
    }

    fn start(&self, lab: &Lab) -> anyhow::Result<Vec<Daemon>> {
        let mut daemons = Vec::new();
        for side in Side::BOTH {
            let (interface, other) = (lab.interface(side), side.other());
            let mut command = Command::new(std::env::current_exe()?);
            command.args(["bench", "relay", &interface, side.address(), other.address()]);
            daemons.push(Daemon::start(&lab.gateway(side), &mut command, &lab.path(side, "out"))?);
        }
        for side in Side::BOTH {
            let begun = Instant::now();
            while lab.route_into(side, &lab.interface(side)).is_err() {
                ensure!(begun.elapsed() < Duration::from_secs(10), "the relay makes no interface");
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        Ok(daemons)
    }
}
