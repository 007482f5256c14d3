//! No tunnel: what the namespaces and the load themselves can do.

use super::super::daemon::Daemon;
use super::super::lab::{Lab, Side, shell};
use super::Peer;

/// Plain routing.
pub struct Plain;

impl Peer for Plain {
    fn name(&self) -> String {
        "plain".into()
    }

    fn missing(&self) -> Option<String> {
        None
    }

    fn version(&self) -> String {
        "the kernel's forwarding, nothing else".into()
    }

    fn start(&self, lab: &Lab) -> anyhow::Result<Vec<Daemon>> {
        for side in Side::BOTH {
            let (gateway, other) = (lab.gateway(side), side.other());
            shell(&format!("ip -n {gateway} route add {} via {}", other.network(), other.address()))?;
        }
        Ok(Vec::new())
    }
}
