//! VPN gateways.

use causeway_model::{Charge, Exposure, Gateway, GatewayState, Kind, Millis, Record, View};
use causeway_ops::{Lack, Settings};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde_json::{Value, json};

use crate::facet::{self, GatewayFacet};
use crate::{ids, tags};

/// The end of what is paid after use: a date far away (2099-09-18), in milliseconds since the epoch.
const ENDLESS_MS: i64 = 4_093_459_200_000;

/// The word for a state.
pub fn status(state: GatewayState) -> &'static str {
    match state {
        GatewayState::Unpaid => "init",
        GatewayState::Provisioning => "provisioning",
        GatewayState::Active => "active",
        GatewayState::Updating => "updating",
        GatewayState::Deleting => "deleting",
    }
}

/// The facts of this dialect about a gateway.
pub fn facet(gateway: &Gateway) -> GatewayFacet {
    facet::read(&gateway.meta)
}

fn end_ms(gateway: &Gateway) -> i64 {
    let Charge::PrePaid { months } = gateway.charge else { return ENDLESS_MS };
    let bought = |created: Millis| {
        let start = Timestamp::from_millisecond(created.0).ok()?.to_zoned(TimeZone::UTC);
        let span = Span::new().try_months(i64::from(months)).ok()?;
        Some(start.checked_add(span).ok()?.timestamp().as_millisecond())
    };
    bought(gateway.meta.created).unwrap_or(ENDLESS_MS)
}

fn enable_word(is_on: bool) -> &'static str {
    if is_on { "enable" } else { "disable" }
}

/// Whether a connection of the gateway speaks BGP.
pub fn speaks_bgp(gateway: &Gateway, view: &View) -> bool {
    view.children(gateway.id, Kind::Connection).any(|record| match record {
        Record::Connection(it) => it.tunnels.iter().any(|tunnel| tunnel.bgp.is_some()),
        _ => false,
    })
}

/// The word for a gateway that is paid for.
pub const NORMAL: &str = "Normal";
/// The word for one that is locked for lack of funds.
pub const LOCKED: &str = "FinancialLocked";

/// Whether a gateway is locked, in the API's words.
pub fn business_status(is_locked: bool) -> &'static str {
    if is_locked { LOCKED } else { NORMAL }
}

/// What the gateway can do, as a JSON text of flags; the console reads it.
fn system_flags(has_bgp: bool) -> String {
    let flags = json!({
        "VpnEnableBgp": has_bgp.to_string(),
        "VisuallySsl": "true",
        "PbrPriority": "true",
        "VpnNewImage": "true",
        "description": "forwarding1.3.7",
        "VpnVersion": "v1.2.1",
    });
    flags.to_string()
}

/// A gateway.
pub fn describe(gateway: &Gateway, view: &View, settings: &Settings) -> Value {
    let facet = facet(gateway);
    let meta = &gateway.meta;
    let has_bgp = !settings.lacks(&meta.dialect, &meta.region, Lack::Bgp);
    let instance = |ordinal: usize| gateway.instances.get(ordinal);
    let ip = |ordinal| instance(ordinal).map(|it| it.public_ip.to_string()).unwrap_or_default();
    let switch = |ordinal| {
        let subnet = instance(ordinal).and_then(|it| it.subnet);
        subnet.map(|id| view.external(id).to_owned()).unwrap_or_default()
    };
    let interfaces: Vec<String> =
        (0..gateway.instances.len()).map(|ordinal| ids::interface(meta.external.as_str(), ordinal)).collect();
    let ssl_ip = if gateway.features.ssl_clients.is_some() { ip(0) } else { String::new() };
    json!({
        "VpnGatewayId": meta.external,
        "VpcId": gateway.network.map(|id| view.external(id)).unwrap_or_default(),
        "VSwitchId": switch(0),
        "DisasterRecoveryVSwitchId": switch(1),
        "InternetIp": ip(0),
        "DisasterRecoveryInternetIp": ip(1),
        "SslVpnInternetIp": ssl_ip,
        "EniInstanceIds": {"EniInstanceId": interfaces},
        "CreateTime": meta.created.0,
        "EndTime": end_ms(gateway),
        "Spec": format!("{}M", gateway.bandwidth_mbps),
        "Name": meta.name,
        "Description": meta.description,
        "Status": status(gateway.state()),
        "BusinessStatus": business_status(settings.locks(gateway)),
        "ChargeType": match gateway.charge {
            Charge::PostPaid => "POSTPAY",
            Charge::PrePaid { .. } => "Prepay",
        },
        "IpsecVpn": enable_word(gateway.features.ipsec),
        "SslVpn": enable_word(gateway.features.ssl_clients.is_some()),
        "SslMaxConnections": gateway.features.ssl_clients.unwrap_or(0),
        "Tag": system_flags(has_bgp),
        "Tags": tags::shown(meta),
        "EnableBgp": speaks_bgp(gateway, view),
        "AutoPropagate": gateway.propagate,
        "VpnType": facet.vpn_type,
        "GatewayType": facet.edition,
        "NetworkType": match gateway.exposure {
            Exposure::Public => "public",
            Exposure::Private => "private",
        },
        "ResourceGroupId": meta.resource_group,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use causeway_model::fixtures;

    #[test]
    fn a_prepaid_gateway_ends_months_after_its_beginning() {
        let mut it = fixtures::gateway(1);
        assert_eq!(end_ms(&it), ENDLESS_MS);
        // 2024-01-31T00:00:00Z, and a leap year's February.
        it.meta.created = Millis(1_706_659_200_000);
        it.charge = Charge::PrePaid { months: 1 };
        assert_eq!(end_ms(&it), 1_709_164_800_000);
    }

    #[test]
    fn types_are_those_of_the_catalogue() {
        let shown = describe(&fixtures::gateway(1), &View::default(), &Settings::default());
        assert_eq!(shown["Spec"], "10M");
        assert_eq!(shown["IpsecVpn"], "enable");
        assert_eq!(shown["SslVpn"], "disable");
        assert_eq!(shown["SslMaxConnections"], 0);
        assert_eq!(shown["Tags"], json!({"Tag": []}));
        assert!(shown["Tag"].is_string() && shown["EnableBgp"].is_boolean());
        assert_eq!(shown["DisasterRecoveryInternetIp"], "");
        assert_eq!(shown["GatewayType"], "Traditional");
    }
}
