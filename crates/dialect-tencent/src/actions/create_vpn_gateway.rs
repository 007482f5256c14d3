//! CreateVpnGateway: makes and orders a gateway; it is `PENDING` until its data plane carries it.

use causeway_dialect::EncodeContext;
use causeway_model::{AtEnd, Charge, Exposure, ExternalId, Features, GatewayId, Kind, Zone};
use causeway_ops::operation::{CreateGateway, Label};
use causeway_ops::{Lack, Operation, Outcome};
use ipnet::Ipv4Net;

use crate::action::{self, Action, Answer, Input};
use crate::facet::{self, GatewayFacet};
use crate::params::{MALFORMED, Members};
use crate::refusal::Refusal;
use crate::shapes::gateway::{BANDWIDTHS, MAX_CONNECTIONS, gateway};
use crate::{asn, errors};

/// See the module.
pub const ACTION: Action = Action { service: "vpc", name: "CreateVpnGateway", decode, encode };

const NAME_BYTES_MAX: usize = 60;
/// The number of a gateway whose owner gives none.
const ASN_DEFAULT: u32 = 64_551;
/// Months that can be bought.
const PERIODS: [i64; 12] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 24, 36];
const MAX_CONNECTION_DEFAULT: i64 = 5;

/// The numbers of SSL clients on offer, and none.
fn with_zero() -> Vec<i64> {
    MAX_CONNECTIONS.into_iter().chain([0]).collect()
}

fn decode(input: &Input<'_>) -> Result<Operation, Refusal> {
    let members = input.members();
    let name = members.name_bytes("VpnGatewayName", NAME_BYTES_MAX)?;
    let kind = members.word("Type", &["IPSEC", "SSL", "CCN", "SSL_CCN"])?.unwrap_or("IPSEC");
    let is_transit = matches!(kind, "CCN" | "SSL_CCN");
    let has_ssl = matches!(kind, "SSL" | "SSL_CCN");
    let network = network(&members, is_transit)?;
    let bandwidth = bandwidth(&members)?;
    let (charge, renew_flag) = charge(&members)?;
    let max_connection = match has_ssl {
        true => members.integer_of("MaxConnection", &MAX_CONNECTIONS)?.unwrap_or(MAX_CONNECTION_DEFAULT),
        // Without effect, and refused all the same where nobody sells it.
        false => members.integer_of("MaxConnection", &with_zero())?.map_or(0, |_| 0),
    };
    let max_connection = u32::try_from(max_connection).unwrap_or_default();
    let asn = asn::read(&members)?;
    if members.flag("BgpEnable") == Some(true) && asn.is_none() {
        return Err(Refusal::missing("BgpAsn"));
    }
    if asn.is_some() && input.lacks(Lack::Bgp) {
        return Err(errors::lacking(Lack::Bgp));
    }
    refuse_what_is_not_offered(&members, has_ssl, asn.is_some())?;
    let zone = zone(input)?;
    let own = GatewayFacet {
        kind: kind.to_owned(),
        zone: zone.as_ref().map(Zone::to_string).unwrap_or_default(),
        renew_flag: renew_flag.to_owned(),
    };
    let subnet = members.id("SubnetId", Kind::Subnet, MALFORMED)?.filter(|_| network.is_some());
    let label = Label { name, tags: members.tags()?, facet: facet::write(&own), ..Label::default() };
    let operation = Operation::CreateGateway(CreateGateway {
        label,
        network,
        subnets: subnet.into_iter().collect(),
        dual: false,
        bandwidth_mbps: bandwidth,
        features: Features {
            ipsec: matches!(kind, "IPSEC" | "CCN"),
            ssl_clients: has_ssl.then_some(max_connection),
            transit: is_transit,
        },
        charge,
        // Orders of this API are always paid from the balance.
        pay_now: true,
        exposure: Exposure::Public,
        asn: Some(asn.unwrap_or(ASN_DEFAULT)),
        zone,
    });
    Ok(operation)
}

/// The zone asked for, else the first that has gateways.
fn zone(input: &Input<'_>) -> Result<Option<Zone>, Refusal> {
    let asked = input.zone("Zone")?;
    let first =
        || input.region_settings().and_then(|region| region.open_zones().next().or(region.zones.first()));
    Ok(asked.or_else(|| first().cloned()))
}

/// The length of `vpc-xxxxxxxx`.
const VPC_ID_CHARS: usize = 12;

fn network(members: &Members<'_>, is_transit: bool) -> Result<Option<ExternalId>, Refusal> {
    const MALFORMED: &str = "InvalidVpcId.Malformed";
    let network = members.id("VpcId", Kind::Network, MALFORMED)?;
    // This action alone tells an id that no VPC can have from one that none has.
    if let Some(id) = network.as_ref().filter(|id| id.as_str().len() != VPC_ID_CHARS) {
        return Err(Refusal::malformed(MALFORMED, "VpcId", id.as_str()));
    }
    match (&network, is_transit) {
        (None, false) => Err(Refusal::new(
            "UnsupportedOperation.VpnGwVpcIdMustHave",
            "A VPC-type VPN gateway must specify VpcId.",
            "VPC类型VPN网关必须携带VpcId。",
        )),
        (Some(_), true) => Err(Refusal::new(
            "UnsupportedOperation.VpnGwVpcIdNotHave",
            "A CCN-type VPN gateway can't specify VpcId.",
            "CCN类型VPN网关不能携带VpcId。",
        )),
        _ => Ok(network),
    }
}

fn bandwidth(members: &Members<'_>) -> Result<u32, Refusal> {
    const NAME: &str = "InternetMaxBandwidthOut";
    let offered = BANDWIDTHS.map(|(_, bandwidth, _)| i64::from(bandwidth));
    let bandwidth = members.integer_of(NAME, &offered)?.ok_or_else(|| Refusal::missing(NAME))?;
    Ok(u32::try_from(bandwidth).unwrap_or_default())
}

/// The charge, and the renewal of prepaid gateways.
fn charge(members: &Members<'_>) -> Result<(Charge, &'static str), Refusal> {
    let words = ["POSTPAID_BY_HOUR", "PREPAID"];
    if members.word("InstanceChargeType", &words)? != Some("PREPAID") {
        return Ok((Charge::PostPaid, ""));
    }
    let prepaid = members
        .structure("InstanceChargePrepaid")
        .ok_or_else(|| Refusal::missing("InstanceChargePrepaid"))?;
    let months =
        prepaid.integer_of("Period", &PERIODS)?.ok_or_else(|| Refusal::missing(&prepaid.path("Period")))?;
    let flags = ["NOTIFY_AND_AUTO_RENEW", "NOTIFY_AND_MANUAL_RENEW"];
    let renew_flag = prepaid.word("RenewFlag", &flags)?.unwrap_or("NOTIFY_AND_AUTO_RENEW");
    let at_end = if renew_flag == "NOTIFY_AND_AUTO_RENEW" { AtEnd::Renews } else { AtEnd::Expires };
    Ok((Charge::PrePaid { months: u32::try_from(months).unwrap_or_default(), at_end }, renew_flag))
}

/// Private and IPv6 gateways, and dedicated clusters: offered by the cloud on application only.
fn refuse_what_is_not_offered(members: &Members<'_>, has_ssl: bool, has_bgp: bool) -> Result<(), Refusal> {
    if let Some(range) = members.cidr("AccessSubnet")? {
        check_access_subnet(range)?;
    }
    if members.flag("IsPrivate") == Some(true) || members.text("AccessSubnet").is_some() {
        let (code, en, zh) = match (has_ssl, has_bgp) {
            (true, _) => (
                "UnsupportedOperation.PrivateSslVpnGateway",
                "A private VPN gateway does not support SSL.",
                "私网VPN网关不支持SSL类型。",
            ),
            (false, true) => (
                "UnsupportedOperation.PrivateBgpVpnGateway",
                "A private VPN gateway does not support BGP.",
                "私网VPN网关不支持BGP。",
            ),
            (false, false) => (
                "UnsupportedOperation.PrivateVpnGateway",
                "Private VPN gateways are not supported.",
                "不支持私网VPN网关。",
            ),
        };
        return Err(Refusal::new(code, en, zh));
    }
    match members.word("IpStack", &["4in4", "6in4", "6in6", "4in6"])? {
        None | Some("4in4") => {}
        Some(_) => {
            return Err(Refusal::new(
                "UnsupportedOperation.NotSupportCreateIpv6VpnGateway",
                "IPv6 VPN gateways are not supported.",
                "不支持创建IPv6 VPN网关。",
            ));
        }
    }
    match members.text("CdcId") {
        Some(cluster) => Err(errors::missing_resource(&ExternalId::from(cluster))),
        None => Ok(()),
    }
}

fn check_access_subnet(range: Ipv4Net) -> Result<(), Refusal> {
    if !(12..=28).contains(&range.prefix_len()) {
        return Err(Refusal::value_as("InvalidParameterValue.AccessSubnetMask", "AccessSubnet", range));
    }
    if ![10, 172, 192].contains(&range.addr().octets()[0]) {
        return Err(Refusal::value_as("InvalidParameterValue.AccessSubnetPrefix", "AccessSubnet", range));
    }
    Ok(())
}

fn encode(outcome: &Outcome, context: &EncodeContext<'_>) -> Result<Answer, Refusal> {
    let made = action::created(outcome).and_then(|key| context.view.gateway(GatewayId(key.id)));
    let made = made.ok_or_else(action::lost)?;
    Ok(action::one("VpnGateway", gateway(context, made)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing;

    fn decoded(extra: Value) -> Result<CreateGateway, String> {
        let base = json!({"VpcId": "vpc-ngenl4az", "VpnGatewayName": "gw", "InternetMaxBandwidthOut": 5});
        match testing::decode("CreateVpnGateway", testing::merged(base, extra)) {
            Ok(Operation::CreateGateway(it)) => Ok(it),
            Ok(other) => panic!("{other:?}"),
            Err(refusal) => Err(refusal.code.to_owned()),
        }
    }

    #[test]
    fn defaults_are_a_postpaid_ipsec_gateway() {
        let it = decoded(json!({})).unwrap();
        assert_eq!(it.charge, Charge::PostPaid);
        assert_eq!(it.features, Features { ipsec: true, ssl_clients: None, transit: false });
        assert_eq!((it.asn, it.bandwidth_mbps, it.dual), (Some(64_551), 5, false));
        assert_eq!(it.network, Some("vpc-ngenl4az".into()));
        let own: GatewayFacet = facet::read(&it.label.facet);
        assert_eq!((own.kind.as_str(), own.zone.as_str()), ("IPSEC", "ap-guangzhou-1"));
    }

    #[test]
    fn every_offered_value_is_taken() {
        for bandwidth in [5, 10, 20, 50, 100, 200, 500, 1000, 3000] {
            assert!(decoded(json!({"InternetMaxBandwidthOut": bandwidth})).is_ok(), "{bandwidth}");
        }
        for period in PERIODS {
            let prepaid =
                json!({"InstanceChargeType": "PREPAID", "InstanceChargePrepaid": {"Period": period}});
            let months = u32::try_from(period).unwrap();
            assert_eq!(decoded(prepaid).unwrap().charge, Charge::PrePaid { months, at_end: AtEnd::Renews });
        }
        for (kind, ipsec, transit) in
            [("IPSEC", true, false), ("SSL", false, false), ("CCN", true, true), ("SSL_CCN", false, true)]
        {
            let vpc = if transit { "" } else { "vpc-ngenl4az" };
            let it = decoded(json!({"Type": kind, "VpcId": vpc})).unwrap();
            assert_eq!((it.features.ipsec, it.features.transit), (ipsec, transit), "{kind}");
            assert_eq!(it.features.ssl_clients, kind.starts_with("SSL").then_some(5));
        }
    }

    #[test]
    fn each_refusal_has_its_code() {
        let cases = [
            (json!({"VpcId": ""}), "UnsupportedOperation.VpnGwVpcIdMustHave"),
            (json!({"Type": "CCN"}), "UnsupportedOperation.VpnGwVpcIdNotHave"),
            (json!({"VpcId": "ngenl4az"}), "InvalidVpcId.Malformed"),
            (json!({"VpcId": null}), "MissingParameter"),
            (json!({"InternetMaxBandwidthOut": 7}), "InvalidParameterValue"),
            (json!({"InternetMaxBandwidthOut": "5"}), "InvalidParameter"),
            (json!({"InstanceChargeType": "PREPAY"}), "InvalidParameterValue"),
            (json!({"InstanceChargeType": "PREPAID"}), "MissingParameter"),
            (
                json!({"InstanceChargeType": "PREPAID", "InstanceChargePrepaid": {"Period": 10}}),
                "InvalidParameterValue",
            ),
            (json!({"Type": "SSL", "MaxConnection": 6}), "InvalidParameterValue"),
            (json!({"MaxConnection": 6}), "InvalidParameterValue"),
            (json!({"MaxConnection": -1}), "InvalidParameterValue"),
            (json!({"VpnGatewayName": "n".repeat(61)}), "InvalidParameterValue.TooLong"),
            (json!({"VpnGatewayName": ""}), "InvalidParameterValue.Empty"),
            (json!({"BgpAsn": 0}), "InvalidParameterValue"),
            (json!({"BgpAsn": 45090}), "InvalidParameterValue"),
            (json!({"BgpAsn": 4_294_967_296_u64}), "InvalidParameterValue"),
            (json!({"BgpEnable": true}), "MissingParameter"),
            (json!({"IsPrivate": true}), "UnsupportedOperation.PrivateVpnGateway"),
            (json!({"IsPrivate": true, "Type": "SSL"}), "UnsupportedOperation.PrivateSslVpnGateway"),
            (json!({"IsPrivate": true, "BgpAsn": 65000}), "UnsupportedOperation.PrivateBgpVpnGateway"),
            (json!({"AccessSubnet": "10.0.0.0/8"}), "InvalidParameterValue.AccessSubnetMask"),
            (json!({"AccessSubnet": "11.0.0.0/12"}), "InvalidParameterValue.AccessSubnetPrefix"),
            (json!({"IpStack": "6in6"}), "UnsupportedOperation.NotSupportCreateIpv6VpnGateway"),
            (json!({"IpStack": "5in5"}), "InvalidParameterValue"),
            (json!({"CdcId": "cluster-gbo27yc4"}), "ResourceNotFound"),
            (json!({"Zone": "ap-nowhere-1"}), "InvalidParameterValue"),
            (json!({"ClientToken": "t"}), "UnknownParameter"),
            (json!({"Zone": "z".repeat(16 * 1024 + 1)}), "InvalidParameterValue.TooLong"),
        ];
        for (extra, code) in cases {
            assert_eq!(decoded(extra.clone()).err().as_deref(), Some(code), "{extra}");
        }
    }
}
