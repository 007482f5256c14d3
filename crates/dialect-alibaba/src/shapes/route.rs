//! Routes.

use causeway_dialect::time::iso_utc;
use causeway_model::{NextHop, Route, View};
use serde_json::{Value, json};

/// The word for a VPN gateway as a next hop.
pub const VPN_GATEWAY: &str = "VpnGateway";

/// Type and id of a next hop.
pub fn next_hop<'a>(route: &'a Route, view: &'a View) -> (&'a str, &'a str) {
    match &route.next_hop {
        NextHop::Local => ("local", ""),
        NextHop::Gateway(gateway) => (VPN_GATEWAY, view.external(*gateway)),
        NextHop::Other { kind, id } => (kind.as_str(), id.as_str()),
    }
}

/// The word for who made a route.
pub fn route_type(route: &Route) -> &'static str {
    if route.system { "System" } else { "Custom" }
}

/// A route.
pub fn describe(route: &Route, view: &View) -> Value {
    let meta = &route.meta;
    let (kind, id) = next_hop(route, view);
    json!({
        "RouteEntryId": meta.external,
        "RouteEntryName": meta.name,
        "Description": meta.description,
        "RouteTableId": view.external(route.table),
        "DestinationCidrBlock": route.destination.to_string(),
        "IpVersion": if route.destination.addr().is_ipv4() { "ipv4" } else { "ipv6" },
        "Type": route_type(route),
        "Status": "Available",
        "ServiceType": "",
        "Origin": "RouteTable",
        "GmtModified": iso_utc(meta.created),
        "NextHops": {"NextHop": [{
            "NextHopId": id,
            "NextHopType": kind,
            "NextHopRegionId": "",
            "Enabled": i32::from(route.enabled),
            "Weight": 0,
        }]},
    })
}
