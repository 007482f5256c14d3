//! Networks (VPCs), subnets (vSwitches), route tables and routes.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::{ConnectionId, GatewayId, Meta, NetworkId, RouteId, RouteTableId, SubnetId, Zone};

/// A virtual private network.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Network {
    /// Inner id.
    pub id: NetworkId,
    /// What every resource has.
    pub meta: Meta,
    /// The primary address range.
    pub cidr: IpNet,
    /// Further address ranges.
    pub secondary_cidrs: Vec<IpNet>,
    /// The table that subnets use by default.
    pub main_table: RouteTableId,
    /// The account's default network.
    pub is_default: bool,
    /// The generation that the data plane was last seen to carry; 0 before the first.
    pub observed_generation: u64,
}

impl Network {
    /// Whether the data plane carries it.
    pub fn is_ready(&self) -> bool {
        self.observed_generation >= self.meta.generation
    }
}

/// A subnet of a network, in one zone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Subnet {
    /// Inner id.
    pub id: SubnetId,
    /// What every resource has.
    pub meta: Meta,
    /// The network it is part of.
    pub network: NetworkId,
    /// Its zone.
    pub zone: Zone,
    /// Its range, inside the network's.
    pub cidr: IpNet,
    /// The route table it uses.
    pub table: RouteTableId,
    /// The generation that the data plane was last seen to carry; 0 before the first.
    pub observed_generation: u64,
}

impl Subnet {
    /// The router's own address: the first of the range.
    pub fn router_ip(&self) -> IpAddr {
        self.cidr.hosts().next().unwrap_or(self.cidr.network())
    }

    /// Whether the data plane carries it.
    pub fn is_ready(&self) -> bool {
        self.observed_generation >= self.meta.generation
    }
}

/// A route table of a network.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RouteTable {
    /// Inner id.
    pub id: RouteTableId,
    /// What every resource has.
    pub meta: Meta,
    /// The network it is part of.
    pub network: NetworkId,
    /// The table made together with the network.
    pub is_main: bool,
}

/// Where a route sends packets.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum NextHop {
    /// Delivered inside the network.
    Local,
    /// To a VPN gateway of the same network.
    Gateway(GatewayId),
    /// To a next hop that has no data plane here, as older versions took: its type and id in the words of the
    /// dialect.
    Other {
        /// The type's word.
        kind: String,
        /// The id's text.
        id: String,
    },
}

/// A route of a route table.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Route {
    /// Inner id.
    pub id: RouteId,
    /// What every resource has.
    pub meta: Meta,
    /// The table it stands in.
    pub table: RouteTableId,
    /// The network of the table.
    pub network: NetworkId,
    /// Which packets.
    pub destination: IpNet,
    /// Where to.
    pub next_hop: NextHop,
    /// Whether it is in force.
    pub enabled: bool,
    /// Made by the service itself (the ranges of subnets), not by the owner.
    pub system: bool,
    /// The connection whose remote range this is, when the service made the route for it.
    pub connection: Option<ConnectionId>,
}
