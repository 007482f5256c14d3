//! VPN gateways.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{Charge, GatewayId, Meta, Millis, NetworkId, OrderId, SubnetId};

/// Whom a gateway's outer address faces.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Exposure {
    /// The public network.
    Public,
    /// A private network.
    Private,
}

/// What a gateway is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Features {
    /// Site-to-site IPsec connections.
    pub ipsec: bool,
    /// Remote access by SSL-VPN clients: how many at once, or none.
    pub ssl_clients: Option<u32>,
    /// It belongs to a transit network instead of one network: it has no network of its own.
    pub transit: bool,
}

/// The place of one gateway instance: a gateway has one, or two for availability.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Placement {
    /// The subnet it takes an address in; none for transit gateways.
    pub subnet: Option<SubnetId>,
    /// Its address in that subnet.
    pub private_ip: Option<IpAddr>,
    /// Its outer address.
    pub public_ip: IpAddr,
}

/// A VPN gateway.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Gateway {
    /// Inner id.
    pub id: GatewayId,
    /// What every resource has.
    pub meta: Meta,
    /// The network it belongs to; none for transit gateways.
    pub network: Option<NetworkId>,
    /// Bandwidth bought, in Mbit/s.
    pub bandwidth_mbps: u32,
    /// What it is for.
    pub features: Features,
    /// How it is paid for.
    pub charge: Charge,
    /// Whom its outer address faces.
    pub exposure: Exposure,
    /// Its BGP autonomous system number, if it has one.
    pub asn: Option<u32>,
    /// Routes learned by BGP are propagated to the network's table.
    pub propagate: bool,
    /// Its one or two instances.
    pub instances: Vec<Placement>,
    /// The order it was bought with.
    pub order: OrderId,
    /// The order is paid, so that it may be provisioned.
    pub paid: bool,
    /// When it was paid; none before, and of what an older version stored.
    #[serde(default)]
    pub paid_at: Option<Millis>,
    /// What was last observed.
    pub status: GatewayStatus,
}

/// What was observed of a gateway.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct GatewayStatus {
    /// The generation that the data plane was last seen to carry completely; 0 before the first.
    pub observed_generation: u64,
    /// It was active once.
    pub was_active: bool,
    /// Why the data plane can't carry it at present; empty when it can.
    pub trouble: String,
}

/// The life of a gateway as its owner sees it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum GatewayState {
    /// Waiting for its order to be paid.
    Unpaid,
    /// Being made.
    Provisioning,
    /// Its data plane carries what was asked for.
    Active,
    /// A change is on its way to the data plane.
    Updating,
    /// Being deleted.
    Deleting,
}

impl Gateway {
    /// The present state, from what was asked for and what was observed.
    pub fn state(&self) -> GatewayState {
        if self.meta.deleting {
            GatewayState::Deleting
        } else if !self.paid {
            GatewayState::Unpaid
        } else if self.status.observed_generation >= self.meta.generation {
            GatewayState::Active
        } else if self.status.was_active {
            GatewayState::Updating
        } else {
            GatewayState::Provisioning
        }
    }
}

#[cfg(test)]
mod tests {
    use super::GatewayState;
    use crate::fixtures::gateway;

    #[test]
    fn a_gateway_is_active_only_when_the_data_plane_was_seen_to_carry_its_generation() {
        let mut it = gateway(1);
        assert_eq!(it.state(), GatewayState::Provisioning);
        it.status.observed_generation = 1;
        it.status.was_active = true;
        assert_eq!(it.state(), GatewayState::Active);
        it.meta.generation = 2;
        assert_eq!(it.state(), GatewayState::Updating);
        it.paid = false;
        assert_eq!(it.state(), GatewayState::Unpaid);
        it.meta.deleting = true;
        assert_eq!(it.state(), GatewayState::Deleting);
    }
}
