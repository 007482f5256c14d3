//! Documented rate limits, in calls of one account within a minute.

use causeway_dialect::RateLimit;

const MINUTE_S: u32 = 60;

/// Calls of actions whose limit is not documented.
const UNDOCUMENTED: u32 = 6_000;

/// The rate limit of an action.
pub fn limit(action: &str) -> RateLimit {
    let calls = match action {
        "DescribeVpnConnection"
        | "DescribeVcoRouteEntries"
        | "DescribeVpnPbrRouteEntries"
        | "DescribeCustomerGateways"
        | "DescribeVpnConnectionLogs" => 600,
        "ListTagResources" => 300,
        "ModifyTunnelAttribute"
        | "ModifyVpnRouteEntryWeight"
        | "ModifyVpnPbrRouteEntryWeight"
        | "ModifyVcoRouteEntryWeight" => 120,
        "DeleteVcoRouteEntry" | "DeleteVpnRouteEntry" => 60,
        "DownloadVpnConnectionConfig" => 30,
        _ => UNDOCUMENTED,
    };
    RateLimit { calls, per_s: MINUTE_S }
}
