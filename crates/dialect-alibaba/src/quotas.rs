//! Documented default quotas.

use causeway_ops::Quota;

/// The documented default of a quota; `None` is unlimited.
pub fn default(quota: Quota) -> Option<u32> {
    match quota {
        Quota::NetworksPerRegion => Some(10),
        Quota::SubnetsPerNetwork => Some(150),
        Quota::RoutesPerTable => Some(200),
        Quota::GatewaysPerRegion => Some(30),
        Quota::CustomerGatewaysPerRegion => Some(100),
        Quota::ConnectionsPerGateway => Some(10),
        Quota::PolicyRoutesPerGateway => Some(20),
        Quota::TagsPerResource => Some(20),
        Quota::GatewaysPerNetwork
        | Quota::TransitGatewaysPerRegion
        | Quota::ConnectionsPerCustomerGateway
        | Quota::ConnectionsPerPair => None,
    }
}
