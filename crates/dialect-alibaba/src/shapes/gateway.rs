//! VPN gateways.

use causeway_dialect::EncodeContext;
use causeway_model::{Exposure, Gateway, GatewayState, Kind, Millis, Record, Term, View};
use causeway_ops::{Lack, Settings};
use serde::Serialize;
use serde_json::Value;

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

/// Whether a gateway is locked (for lack of funds, or because its term is over), in the API's words.
pub fn business_status(is_locked: bool) -> &'static str {
    if is_locked { LOCKED } else { NORMAL }
}

/// What the gateway can do, as a JSON text of flags; the console reads it.
fn system_flags(has_bgp: bool) -> &'static str {
    if has_bgp {
        r#"{"VpnEnableBgp":"true","VisuallySsl":"true","PbrPriority":"true","VpnNewImage":"true","description":"forwarding1.3.7","VpnVersion":"v1.2.1"}"#
    } else {
        r#"{"VpnEnableBgp":"false","VisuallySsl":"true","PbrPriority":"true","VpnNewImage":"true","description":"forwarding1.3.7","VpnVersion":"v1.2.1"}"#
    }
}

/// A gateway as the API shows it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Description<'a> {
    vpn_gateway_id: &'a str,
    vpc_id: &'a str,
    v_switch_id: &'a str,
    disaster_recovery_v_switch_id: &'a str,
    internet_ip: String,
    disaster_recovery_internet_ip: String,
    ssl_vpn_internet_ip: String,
    eni_instance_ids: Interfaces,
    create_time: i64,
    end_time: i64,
    spec: String,
    name: &'a str,
    description: &'a str,
    status: &'static str,
    business_status: &'static str,
    charge_type: &'static str,
    ipsec_vpn: &'static str,
    ssl_vpn: &'static str,
    ssl_max_connections: u32,
    tag: &'static str,
    tags: Value,
    enable_bgp: bool,
    auto_propagate: bool,
    vpn_type: String,
    gateway_type: String,
    network_type: &'static str,
    resource_group_id: &'a str,
}

/// The interfaces of a gateway's instances.
#[derive(Serialize)]
struct Interfaces {
    #[serde(rename = "EniInstanceId")]
    ids: Vec<String>,
}

/// A gateway.
pub fn describe<'a>(
    gateway: &'a Gateway,
    view: &'a View,
    settings: &Settings,
    now: Millis,
) -> Description<'a> {
    let term = settings.term(gateway, now);
    let facet = facet(gateway);
    let meta = &gateway.meta;
    let has_bgp = !settings.lacks(&meta.dialect, &meta.region, Lack::Bgp);
    // The addresses of an order that is open are set aside for it and belong to nothing yet.
    let made = if gateway.paid { gateway.instances.as_slice() } else { &[] };
    let instance = |ordinal: usize| gateway.instances.get(ordinal);
    let ip = |ordinal: usize| made.get(ordinal).map(|it| it.public_ip.to_string()).unwrap_or_default();
    let switch = |ordinal| instance(ordinal).and_then(|it| it.subnet).map_or("", |id| view.external(id));
    let external = meta.external.as_str();
    let has_ssl = gateway.features.ssl_clients.is_some();
    Description {
        vpn_gateway_id: external,
        vpc_id: gateway.network.map_or("", |id| view.external(id)),
        v_switch_id: switch(0),
        disaster_recovery_v_switch_id: switch(1),
        internet_ip: ip(0),
        disaster_recovery_internet_ip: ip(1),
        ssl_vpn_internet_ip: if has_ssl { ip(0) } else { String::new() },
        eni_instance_ids: Interfaces {
            ids: (0..made.len()).map(|ordinal| ids::interface(external, ordinal)).collect(),
        },
        create_time: meta.created.0,
        end_time: term.end().map_or(ENDLESS_MS, |end| end.0),
        spec: format!("{}M", gateway.bandwidth_mbps),
        name: &meta.name,
        description: &meta.description,
        status: status(gateway.state()),
        business_status: business_status(settings.locks(gateway, now)),
        // Not the word of the request: every Terraform provider so far takes anything else for prepaid, or for a
        // change that needs a new gateway.
        charge_type: if term == Term::Open { "PostpayByFlow" } else { "Prepay" },
        ipsec_vpn: enable_word(gateway.features.ipsec),
        ssl_vpn: enable_word(has_ssl),
        ssl_max_connections: gateway.features.ssl_clients.unwrap_or(0),
        tag: system_flags(has_bgp),
        tags: tags::shown(meta),
        enable_bgp: speaks_bgp(gateway, view),
        auto_propagate: gateway.propagate,
        vpn_type: facet.vpn_type,
        gateway_type: facet.edition,
        network_type: match gateway.exposure {
            Exposure::Public => "public",
            Exposure::Private => "private",
        },
        resource_group_id: &meta.resource_group,
    }
}

/// A gateway as a tree, to take members from.
pub fn tree(gateway: &Gateway, context: &EncodeContext<'_>) -> Value {
    let description = describe(gateway, context.view, &context.caller.settings, context.now);
    // Texts, numbers and lists always make a tree.
    serde_json::to_value(description).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use causeway_model::{AtEnd, Charge, fixtures};
    use causeway_ops::AccountSettings;
    use serde_json::json;

    #[test]
    fn a_prepaid_gateway_is_normal_until_months_after_its_payment_and_locked_then() {
        let mut it = fixtures::gateway(1);
        let mut settings = Settings::default();
        let owner = AccountSettings::new(it.meta.owner.clone(), "");
        settings.accounts.insert(owner.id.clone(), owner);
        let shown = |it: &Gateway, now| {
            let shown = serde_json::to_value(describe(it, &View::default(), &settings, Millis(now))).unwrap();
            (shown["ChargeType"].clone(), shown["EndTime"].clone(), shown["BusinessStatus"].clone())
        };
        assert_eq!(shown(&it, 0), (json!("PostpayByFlow"), json!(ENDLESS_MS), json!("Normal")));
        // Paid on 2024-01-31T00:00:00Z, and a leap year's February.
        it.meta.created = Millis(1_700_000_000_000);
        it.paid_at = Some(Millis(1_706_659_200_000));
        it.charge = Charge::PrePaid { months: 1, at_end: AtEnd::Expires };
        let end = 1_709_164_800_000;
        assert_eq!(shown(&it, end - 1), (json!("Prepay"), json!(end), json!("Normal")));
        assert_eq!(shown(&it, end), (json!("Prepay"), json!(end), json!("FinancialLocked")));
    }

    #[test]
    fn types_are_those_of_the_catalogue() {
        let shown = serde_json::to_value(describe(
            &fixtures::gateway(1),
            &View::default(),
            &Settings::default(),
            Millis(0),
        ))
        .unwrap();
        assert_eq!(shown["Spec"], "10M");
        assert_eq!(shown["IpsecVpn"], "enable");
        assert_eq!(shown["SslVpn"], "disable");
        assert_eq!(shown["SslMaxConnections"], 0);
        assert_eq!(shown["Tags"], json!({"Tag": []}));
        let flags: Value = serde_json::from_str(shown["Tag"].as_str().unwrap()).unwrap();
        assert_eq!(flags["VpnEnableBgp"], "true");
        assert!(shown["Tag"].is_string() && shown["EnableBgp"].is_boolean());
        assert_eq!(shown["DisasterRecoveryInternetIp"], "");
        assert_eq!(shown["GatewayType"], "Traditional");
    }
}
