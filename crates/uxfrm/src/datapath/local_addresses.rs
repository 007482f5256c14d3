//! Which inner packets are for this host: policies of direction `in` are for those, of direction `fwd` for all others.

use crate::xfrm::constants::AF_INET;
use crate::xfrm::selector::Flow;
use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The addresses of the engine's network namespace.
#[derive(Debug, Default, Clone)]
pub struct LocalAddresses(pub HashSet<IpAddr>);

impl LocalAddresses {
    /// Whether the kernel will deliver a packet here rather than forward it. Multicast and broadcast are for whoever listens.
    pub fn receive(&self, flow: &Flow) -> bool {
        if flow.family == AF_INET {
            let [a, b, c, d, ..] = flow.destination;
            let address = Ipv4Addr::new(a, b, c, d);
            return address.is_multicast() || address.is_broadcast() || self.0.contains(&address.into());
        }
        let address = Ipv6Addr::from(flow.destination);
        address.is_multicast() || self.0.contains(&address.into())
    }
}
