//! Quotas: how much of each thing an account may have. Each dialect brings its documented defaults.

use serde::{Deserialize, Serialize};

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quota {
    /// Networks of an account in a region.
    NetworksPerRegion,
    /// Subnets of a network.
    SubnetsPerNetwork,
    /// Routes that the owner made in one table.
    RoutesPerTable,
    /// Gateways of an account in a region.
    GatewaysPerRegion,
    /// Gateways of a network.
    GatewaysPerNetwork,
    /// Customer gateways of an account in a region.
    CustomerGatewaysPerRegion,
    /// Connections of a gateway.
    ConnectionsPerGateway,
    /// Connections of a customer gateway.
    ConnectionsPerCustomerGateway,
    /// Connections between one gateway and one customer gateway.
    ConnectionsPerPair,
    /// Pairs of ranges on a gateway that are routed by the service.
    PolicyRoutesPerGateway,
    /// Gateways of transit networks, of an account in a region.
    TransitGatewaysPerRegion,
    /// Tags of a resource.
    TagsPerResource,
}

impl Quota {
    /// Every quota.
    pub const ALL: &[Quota] = &[
        Quota::NetworksPerRegion,
        Quota::SubnetsPerNetwork,
        Quota::RoutesPerTable,
        Quota::GatewaysPerRegion,
        Quota::GatewaysPerNetwork,
        Quota::CustomerGatewaysPerRegion,
        Quota::ConnectionsPerGateway,
        Quota::ConnectionsPerCustomerGateway,
        Quota::ConnectionsPerPair,
        Quota::PolicyRoutesPerGateway,
        Quota::TransitGatewaysPerRegion,
        Quota::TagsPerResource,
    ];
}
