//! IPsec connections and their tunnels.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::{
    ConnectionId, CustomerGatewayId, EspProposal, ExternalId, GatewayId, IkeProposal, IkeVersion, Initiation,
    Meta, Millis, Secret,
};

/// How traffic is chosen for the tunnels.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Selection {
    /// By routes: the tunnel itself takes everything.
    Routes,
    /// By pairs of local and remote ranges (the security policy database), each negotiated by itself.
    Policies(Vec<Policy>),
    /// By the connection's local and remote subnets, every one with every other, negotiated together where the
    /// version of IKE can.
    Ranges,
    /// By routes that BGP learns.
    Bgp,
}

/// One local range and the remote ranges it may talk to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Policy {
    /// The range on the gateway's side.
    pub local: IpNet,
    /// The ranges on the customer's side.
    pub remotes: Vec<IpNet>,
}

/// The ranges that one CHILD_SA protects: traffic between any of the one side and any of the other (RFC 7296
/// section 2.9).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct TrafficSelectors {
    /// The ranges on the near side.
    pub local: Vec<IpNet>,
    /// The ranges on the far side.
    pub remote: Vec<IpNet>,
}

impl TrafficSelectors {
    /// Everything of IPv4 on both sides: routes choose.
    pub fn everything() -> Self {
        let all = || vec![IpNet::V4(ipnet::Ipv4Net::default())];
        Self { local: all(), remote: all() }
    }

    /// One pair of ranges.
    pub fn pair(local: IpNet, remote: IpNet) -> Self {
        Self { local: vec![local], remote: vec![remote] }
    }

    /// Each pair of a near and a far range.
    pub fn pairs(&self) -> impl Iterator<Item = (IpNet, IpNet)> {
        self.local.iter().flat_map(|local| self.remote.iter().map(move |remote| (*local, *remote)))
    }

    /// The same, seen from the far side.
    pub fn reversed(&self) -> Self {
        Self { local: self.remote.clone(), remote: self.local.clone() }
    }

    /// As the children that a version of IKE can negotiate: IKEv1 takes one pair for each (RFC 2409 section 5.5).
    pub fn for_version(self, version: IkeVersion) -> Vec<Self> {
        match version {
            IkeVersion::V2 => vec![self],
            IkeVersion::V1Main | IkeVersion::V1Aggressive => {
                self.pairs().map(|(local, remote)| Self::pair(local, remote)).collect()
            }
        }
    }
}

/// What is done when the peer is found dead.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum DpdAction {
    /// The tunnel is closed.
    Clear,
    /// The tunnel is built anew.
    Restart,
    /// The tunnel is built anew when traffic wants it.
    Trap,
}

/// Dead peer detection (RFC 3706, RFC 7296 section 2.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Dpd {
    /// Seconds between probes.
    pub delay_s: u32,
    /// Seconds without an answer after which the peer is dead.
    pub timeout_s: u32,
    /// What is done then.
    pub action: DpdAction,
}

/// BGP inside a tunnel.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TunnelBgp {
    /// The range of the link, a /30.
    pub tunnel_cidr: IpNet,
    /// The gateway's address in it.
    pub local_ip: IpAddr,
    /// The customer's address in it.
    pub peer_ip: IpAddr,
    /// The gateway's number.
    pub local_asn: u32,
    /// The customer's number.
    pub peer_asn: u32,
}

/// Probes through the tunnel.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HealthCheck {
    /// Source address, on the gateway's side.
    pub source: IpAddr,
    /// Destination address, on the customer's side.
    pub destination: IpAddr,
    /// Seconds between probes.
    pub interval_s: u32,
    /// Probes without an answer after which the tunnel counts as down.
    pub retries: u32,
    /// Withdraw the routes while it is down.
    pub revoke_routes: bool,
}

/// One tunnel of a connection. Tunnel `n` runs on instance `n` of the gateway.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Tunnel {
    /// Its id in the API, where tunnels have one.
    pub external: Option<ExternalId>,
    /// The far end.
    pub customer_gateway: CustomerGatewayId,
    /// The pre-shared key.
    pub psk: Secret,
    /// IKE identity of the gateway.
    pub local_id: String,
    /// IKE identity of the customer.
    pub remote_id: String,
    /// The IKE_SA's algorithms.
    pub ike: IkeProposal,
    /// The CHILD_SA's algorithms.
    pub esp: EspProposal,
    /// Dead peer detection, if wanted.
    pub dpd: Option<Dpd>,
    /// NAT traversal (RFC 3948) is offered.
    pub nat_traversal: bool,
    /// BGP, if wanted.
    pub bgp: Option<TunnelBgp>,
}

/// An IPsec connection.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Connection {
    /// Inner id.
    pub id: ConnectionId,
    /// What every resource has.
    pub meta: Meta,
    /// The gateway that carries it.
    pub gateway: GatewayId,
    /// How traffic is chosen.
    pub selection: Selection,
    /// The ranges on the gateway's side, as asked for.
    pub local_subnets: Vec<IpNet>,
    /// The ranges on the customer's side, as asked for.
    pub remote_subnets: Vec<IpNet>,
    /// Its one or two tunnels, in the order of the gateway's instances.
    pub tunnels: Vec<Tunnel>,
    /// Probes through the tunnel, if wanted.
    pub health_check: Option<HealthCheck>,
    /// When the gateway starts the negotiation.
    #[serde(alias = "initiate")]
    pub initiation: Initiation,
    /// What was last observed.
    pub status: ConnectionStatus,
}

/// What was observed of a connection.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ConnectionStatus {
    /// The generation that the data plane was last seen to carry; 0 before the first.
    pub observed_generation: u64,
    /// It was carried once.
    pub was_active: bool,
    /// One entry for each tunnel, in order.
    pub tunnels: Vec<TunnelStatus>,
}

/// What was observed of a tunnel.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct TunnelStatus {
    /// The IKE_SA is established.
    pub ike_established: bool,
    /// Every CHILD_SA is installed: all the traffic that was chosen can pass.
    pub child_installed: bool,
    /// When the present state began.
    pub since: Millis,
    /// Why it is not up, or not all of it; empty when nothing is known.
    pub trouble: String,
}

/// The life of a connection as its owner sees it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ConnectionState {
    /// Being made.
    Provisioning,
    /// The gateway carries its configuration (whether the far end answers is another matter).
    Active,
    /// A change is on its way to the gateway.
    Updating,
    /// Being deleted.
    Deleting,
}

impl Connection {
    /// The present state, from what was asked for and what was observed.
    pub fn state(&self) -> ConnectionState {
        if self.meta.deleting {
            ConnectionState::Deleting
        } else if self.status.observed_generation >= self.meta.generation {
            ConnectionState::Active
        } else if self.status.was_active {
            ConnectionState::Updating
        } else {
            ConnectionState::Provisioning
        }
    }

    /// What its CHILD_SAs protect, before a version of IKE splits them
    /// ([`for_version`](TrafficSelectors::for_version)): one for each pair of the policies, or one with all ranges.
    pub fn selectors(&self) -> Vec<TrafficSelectors> {
        let selectors = match &self.selection {
            Selection::Routes | Selection::Bgp => vec![TrafficSelectors::everything()],
            Selection::Ranges => vec![TrafficSelectors {
                local: distinct(&self.local_subnets),
                remote: distinct(&self.remote_subnets),
            }],
            Selection::Policies(policies) => {
                let pairs = policies.iter().flat_map(|policy| {
                    policy.remotes.iter().map(|remote| TrafficSelectors::pair(policy.local, *remote))
                });
                pairs.collect()
            }
        };
        distinct(&selectors)
    }

    /// The observed status of tunnel `index`; "down" when none was observed.
    pub fn tunnel_status(&self, index: usize) -> TunnelStatus {
        self.status.tunnels.get(index).cloned().unwrap_or_default()
    }

    /// Whether traffic can pass through any tunnel.
    pub fn is_up(&self) -> bool {
        self.status.tunnels.iter().any(|tunnel| tunnel.child_installed)
    }
}

/// The first of each, in order.
fn distinct<T: Clone + PartialEq>(items: &[T]) -> Vec<T> {
    let mut found: Vec<T> = Vec::new();
    for item in items {
        if !found.contains(item) {
            found.push(item.clone());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    #[test]
    fn ikev1_has_one_child_for_each_pair() {
        let both = TrafficSelectors {
            local: vec![net("10.0.1.0/24"), net("10.0.2.0/24")],
            remote: vec![net("192.168.1.0/24"), net("192.168.2.0/24")],
        };
        assert_eq!(both.clone().for_version(IkeVersion::V2), std::slice::from_ref(&both));
        for version in [IkeVersion::V1Main, IkeVersion::V1Aggressive] {
            let children = both.clone().for_version(version);
            assert_eq!(children.len(), 4);
            assert!(children.iter().all(|child| child.pairs().count() == 1));
            assert_eq!(
                children.iter().flat_map(TrafficSelectors::pairs).collect::<Vec<_>>(),
                both.pairs().collect::<Vec<_>>()
            );
        }
        assert_eq!(both.reversed().reversed(), both);
    }
}
