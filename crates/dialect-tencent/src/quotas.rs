//! The documented default of each quota (specs/tencent/constraints.yaml, `quotas`).

use causeway_ops::Quota;

/// The default of a quota; `None` is unlimited.
pub fn default(quota: Quota) -> Option<u32> {
    match quota {
        Quota::NetworksPerRegion => Some(20),
        Quota::SubnetsPerNetwork => Some(100),
        Quota::RoutesPerTable => Some(50),
        // Documented per network, and for CCN gateways, which have none, per region.
        Quota::GatewaysPerRegion | Quota::PolicyRoutesPerGateway => None,
        Quota::TransitGatewaysPerRegion => Some(10),
        Quota::GatewaysPerNetwork => Some(10),
        Quota::CustomerGatewaysPerRegion => Some(20),
        Quota::ConnectionsPerGateway => Some(20),
        Quota::ConnectionsPerCustomerGateway => Some(10),
        Quota::ConnectionsPerPair => Some(1),
        Quota::TagsPerResource => Some(50),
    }
}
