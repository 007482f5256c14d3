//! The objects of the data plane, as the control plane wants them.

use std::net::IpAddr;

use causeway_model::{Dpd, EspProposal, IkeProposal, Initiation, Secret, TrafficSelectors};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::keys::{InstanceKey, NetworkKey, ObjectKey, RouteKey, SubnetKey, TunnelKey};

/// A network (VPC): something that routes between its subnets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    pub key: NetworkKey,
    /// The address ranges of the network.
    pub cidrs: Vec<IpNet>,
}

/// A subnet (vSwitch) of a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subnet {
    pub key: SubnetKey,
    pub network: NetworkKey,
    pub cidr: IpNet,
    /// The network's router as its hosts see it.
    pub router_ip: IpAddr,
}

/// How the maximum segment size of TCP connections through tunnels is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MssClamp {
    /// To what fits the tunnel's MTU.
    Mtu,
    /// To a number of bytes.
    Fixed(u16),
    Off,
}

/// One instance of a VPN gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    pub key: InstanceKey,
    pub network: NetworkKey,
    pub subnet: SubnetKey,
    /// The instance's address in `subnet`.
    pub private_ip: IpAddr,
    /// The subnet's range, which gives `private_ip` its prefix length.
    pub subnet_cidr: IpNet,
    /// The network's ranges: what comes out of a tunnel for them goes into no other tunnel.
    pub network_cidrs: Vec<IpNet>,
    pub router_ip: IpAddr,
    pub public_ip: IpAddr,
    /// Bought bandwidth in Mbit/s, enforced in each direction; `None`: unlimited.
    pub bandwidth_mbps: Option<u32>,
    /// MTU of the tunnel interfaces in bytes.
    pub inner_mtu: u16,
    pub mss: MssClamp,
}

/// One tunnel of a connection: a route-based IPsec tunnel with its own interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tunnel {
    pub key: TunnelKey,
    /// Interface id (XFRM if_id), unique within the instance and not 0.
    pub if_id: u32,
    /// The peer's address; `None`: any address, and the instance only responds.
    pub remote: Option<IpAddr>,
    /// IKE identities in strongSwan's syntax.
    pub local_id: String,
    pub remote_id: String,
    pub psk: Secret,
    pub ike: IkeProposal,
    pub esp: EspProposal,
    /// What each CHILD_SA protects. Nothing else passes the tunnel.
    pub children: Vec<TrafficSelectors>,
    pub dpd: Option<Dpd>,
    /// NAT traversal (RFC 3947, RFC 3948). An engine that only carries UDP-encapsulated ESP may use it
    /// always.
    pub nat_traversal: bool,
    /// When this side starts the negotiation.
    #[serde(alias = "initiate")]
    pub initiation: Initiation,
    /// What the instance sends into this tunnel.
    pub routes: Vec<IpNet>,
    /// The instance's address on the tunnel interface, for BGP.
    pub inner_address: Option<IpNet>,
}

/// One way a route of a network can take into a gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextHop {
    pub instance: InstanceKey,
    /// The instance's private address.
    pub private_ip: IpAddr,
    /// The tunnel that must carry traffic for this way to be usable; `None`: the instance is enough.
    pub tunnel: Option<TunnelKey>,
}

/// A route of a network that leads to a gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    pub key: RouteKey,
    /// The ways in order of preference. The engine uses the first usable one, moves by itself when that
    /// changes, and takes the first when none is usable.
    pub next_hops: Vec<NextHop>,
}

/// Any object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Object {
    Network(Network),
    Subnet(Subnet),
    Instance(Instance),
    Tunnel(Box<Tunnel>),
    Route(Route),
}

impl Object {
    /// The name of this object.
    pub fn key(&self) -> ObjectKey {
        match self {
            Self::Network(network) => ObjectKey::Network(network.key.clone()),
            Self::Subnet(subnet) => ObjectKey::Subnet(subnet.network.clone(), subnet.key.clone()),
            Self::Instance(instance) => ObjectKey::Instance(instance.key.clone()),
            Self::Tunnel(tunnel) => ObjectKey::Tunnel(tunnel.key.clone()),
            Self::Route(route) => ObjectKey::Route(route.key.clone()),
        }
    }
}
