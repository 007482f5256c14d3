//! `VpnGateway`.

use std::net::IpAddr;
use std::sync::LazyLock;

use causeway_dialect::{EncodeContext, time};
use causeway_model::{AtEnd, Charge, Exposure, Gateway, GatewayState, Term};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::facet::{self, GatewayFacet};
use crate::shapes::{NO_TIME, tag_set};

/// The version whose features gateways have here (the spelling is unverified).
const VERSION: &str = "ver4.0";
/// The renewal shown for pay-as-you-go gateways: an empty one makes Terraform want to change it for ever.
const RENEW_DEFAULT: &str = "NOTIFY_AND_AUTO_RENEW";
/// The bandwidths on offer: name, Mbit/s, Chinese name.
pub const BANDWIDTHS: [(&str, u32, &str); 9] = [
    ("cdmini", 5, "微小型"),
    ("cdsmall", 10, "小型"),
    ("cdmiddle", 20, "中型"),
    ("cdlarge", 50, "大型"),
    ("cdsuperLarge", 100, "超大型"),
    ("cdsuperLarge2", 200, "超大型2"),
    ("cdsuperLarge3", 500, "超大型3"),
    ("cdsuperLarge4", 1000, "超大型4"),
    ("cdsuperLarge5", 3000, "超大型5"),
];
/// The numbers of SSL clients on offer.
pub const MAX_CONNECTIONS: [i64; 8] = [5, 10, 20, 50, 100, 200, 500, 1000];

/// `VpnGateway`. Every member is present and none is null: clients read them all without a check.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct VpnGateway<'a> {
    vpn_gateway_id: &'a str,
    vpc_id: &'a str,
    vpn_gateway_name: &'a str,
    r#type: String,
    state: &'static str,
    public_ip_address: OrEmpty<IpAddr>,
    renew_flag: String,
    instance_charge_type: &'static str,
    internet_max_bandwidth_out: u32,
    created_time: String,
    expired_time: String,
    is_address_blocked: bool,
    new_purchase_plan: &'static str,
    restrict_state: &'static str,
    zone: String,
    vpn_gateway_quota_set: &'static RawValue,
    version: &'static str,
    network_instance_id: &'static str,
    cdc_id: &'static str,
    max_connection: u32,
    bgp_asn: u32,
    tag_set: Value,
    is_private: bool,
}

/// A value, or an empty text where there is none.
struct OrEmpty<T>(Option<T>);

impl<T: Serialize> Serialize for OrEmpty<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(value) => value.serialize(serializer),
            None => serializer.serialize_str(""),
        }
    }
}

/// A gateway.
pub fn gateway<'a>(context: &EncodeContext<'a>, it: &'a Gateway) -> VpnGateway<'a> {
    let settings = &context.caller.settings;
    let (is_locked, term) = (settings.locks(it, context.now), settings.term(it, context.now));
    let own: GatewayFacet = facet::read(&it.meta.facet);
    VpnGateway {
        vpn_gateway_id: it.meta.external.as_str(),
        vpc_id: it.network.map_or("", |network| context.view.external(network)),
        vpn_gateway_name: &it.meta.name,
        r#type: own.kind,
        state: state(it.state()),
        public_ip_address: OrEmpty(it.instances.first().map(|instance| instance.public_ip)),
        renew_flag: if own.renew_flag.is_empty() { RENEW_DEFAULT.to_owned() } else { own.renew_flag },
        instance_charge_type: if term == Term::Open { "POSTPAID_BY_HOUR" } else { "PREPAID" },
        internet_max_bandwidth_out: it.bandwidth_mbps,
        created_time: time::china_standard(it.meta.created),
        expired_time: term.end().map_or(NO_TIME.to_owned(), time::china_standard),
        is_address_blocked: false,
        new_purchase_plan: new_purchase_plan(it, term),
        restrict_state: if is_locked { "PROTECTIVELY_ISOLATED" } else { "NORMAL" },
        zone: own.zone,
        vpn_gateway_quota_set: quota_set(),
        version: VERSION,
        network_instance_id: "",
        cdc_id: "",
        max_connection: it.features.ssl_clients.unwrap_or_default(),
        bgp_asn: it.asn.unwrap_or_default(),
        tag_set: tag_set(&it.meta),
        is_private: it.exposure == Exposure::Private,
    }
}

/// The state's word. There is none for changes: a gateway stays available while it is changed.
fn state(state: GatewayState) -> &'static str {
    match state {
        GatewayState::Unpaid | GatewayState::Provisioning => "PENDING",
        GatewayState::Active | GatewayState::Updating => "AVAILABLE",
        GatewayState::Deleting => "DELETING",
    }
}

/// What follows the term, while that is to come.
fn new_purchase_plan(it: &Gateway, term: Term) -> &'static str {
    match it.charge {
        Charge::PrePaid { at_end: AtEnd::PostPaid, .. } if term != Term::Open => "PREPAID_TO_POSTPAID",
        _ => "",
    }
}

/// What is on offer, written once: it is larger than all the rest of a gateway.
fn quota_set() -> &'static RawValue {
    static WRITTEN: LazyLock<Box<RawValue>> = LazyLock::new(|| {
        let quota = |(name, bandwidth, cname): &(&str, u32, &str)| json!({"Bandwidth": bandwidth, "Cname": cname, "Name": name, "MaxConnection": MAX_CONNECTIONS});
        let tree: Value = BANDWIDTHS.iter().map(quota).collect();
        // A tree's text is JSON.
        RawValue::from_string(tree.to_string()).unwrap_or_default()
    });
    &WRITTEN
}

#[cfg(test)]
mod tests {
    use causeway_model::{GatewayStatus, Millis, View, fixtures};
    use causeway_ops::Caller;

    use super::*;
    use crate::testing;

    fn shown(it: &Gateway, caller: &Caller) -> Value {
        let envelope = testing::envelope("vpc", "DescribeVpnGateways", json!({}));
        let view = View::default();
        let now = testing::NOW;
        let context = EncodeContext { view: &view, caller, envelope: &envelope, request_id: "r", now };
        serde_json::to_value(gateway(&context, it)).unwrap()
    }

    #[test]
    fn a_gateway_without_funds_is_isolated_unless_it_is_prepaid() {
        let mut caller = testing::caller();
        let mut it = fixtures::gateway(1);
        it.meta.owner = caller.account.clone();
        assert_eq!(shown(&it, &caller)["RestrictState"], "NORMAL");
        let settings = std::sync::Arc::make_mut(&mut caller.settings);
        settings.accounts.values_mut().for_each(|account| account.solvent = false);
        assert_eq!(shown(&it, &caller)["RestrictState"], "PROTECTIVELY_ISOLATED");
        it.charge = Charge::PrePaid { months: 1, at_end: AtEnd::Expires };
        it.paid_at = Some(testing::NOW);
        assert_eq!(shown(&it, &caller)["RestrictState"], "NORMAL");
    }

    #[test]
    fn no_member_is_null_and_a_new_gateway_is_pending() {
        let mut it = fixtures::gateway(1);
        let value = shown(&it, &testing::caller());
        let members = value.as_object().unwrap();
        assert_eq!(members.len(), 23);
        assert_eq!(value["VpnGatewayQuotaSet"].as_array().map(Vec::len), Some(BANDWIDTHS.len()));
        assert_eq!(value["VpnGatewayQuotaSet"][0]["Cname"], "微小型");
        assert!(members.values().all(|member| !member.is_null()));
        assert_eq!(value["State"], "PENDING");
        assert_eq!(value["RenewFlag"], "NOTIFY_AND_AUTO_RENEW");
        assert_eq!(value["ExpiredTime"], "0000-00-00 00:00:00");
        it.status = GatewayStatus { observed_generation: 1, was_active: true, ..GatewayStatus::default() };
        assert_eq!(shown(&it, &testing::caller())["State"], "AVAILABLE");
        it.meta.deleting = true;
        assert_eq!(shown(&it, &testing::caller())["State"], "DELETING");
    }

    #[test]
    fn what_follows_a_term_is_shown_and_then_done() {
        let mut caller = testing::caller();
        let mut it = fixtures::gateway(1);
        it.meta.owner = caller.account.clone();
        let words = |it: &Gateway, caller: &Caller| {
            let value = shown(it, caller);
            ["InstanceChargeType", "NewPurchasePlan", "RestrictState"].map(|name| value[name].clone())
        };
        let mut bought = |days_ago: i64, at_end: AtEnd, caller: &Caller| {
            it.paid_at = Some(Millis(testing::NOW.0 - days_ago * 24 * 3_600_000));
            it.charge = Charge::PrePaid { months: 1, at_end };
            words(&it, caller)
        };
        assert_eq!(bought(0, AtEnd::PostPaid, &caller), ["PREPAID", "PREPAID_TO_POSTPAID", "NORMAL"]);
        assert_eq!(bought(40, AtEnd::PostPaid, &caller), ["POSTPAID_BY_HOUR", "", "NORMAL"]);
        assert_eq!(bought(40, AtEnd::Expires, &caller), ["PREPAID", "", "PROTECTIVELY_ISOLATED"]);
        assert_eq!(bought(40, AtEnd::Renews, &caller), ["PREPAID", "", "NORMAL"]);
        let settings = std::sync::Arc::make_mut(&mut caller.settings);
        settings.accounts.values_mut().for_each(|account| account.solvent = false);
        assert_eq!(bought(40, AtEnd::Renews, &caller), ["PREPAID", "", "PROTECTIVELY_ISOLATED"]);
        assert_eq!(bought(0, AtEnd::Renews, &caller), ["PREPAID", "", "NORMAL"]);
    }

    #[test]
    fn a_prepaid_gateway_expires_after_whole_months() {
        let mut it = fixtures::gateway(1);
        it.charge = Charge::PrePaid { months: 1, at_end: AtEnd::Expires };
        // 2024-01-31 12:00:00 in China: February ends on the 29th.
        it.meta.created = Millis(1_706_673_600_000);
        let value = shown(&it, &testing::caller());
        assert_eq!(value["InstanceChargeType"], "PREPAID");
        assert_eq!(value["CreatedTime"], "2024-01-31 12:00:00");
        assert_eq!(value["ExpiredTime"], "2024-02-29 12:00:00");
    }
}
