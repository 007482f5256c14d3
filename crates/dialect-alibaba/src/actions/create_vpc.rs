//! CreateVpc.

use causeway_dialect::{EncodeContext, Failure};
use causeway_model::Kind;
use causeway_ops::operation::CreateNetwork;
use causeway_ops::{Operation, Outcome};
use ipnet::{IpNet, Ipv4Net};
use serde_json::{Value, json};

use crate::action::{Action, Input};
use crate::facet::{self, NetworkFacet};
use crate::labels::VpcTexts;
use crate::params::Fields;
use crate::tags::Codes;
use crate::{cidr, ids, labels, selects};

pub const ACTION: Action = Action { service: "vpc", name: "CreateVpc", decode, encode };

/// The range of a network when none is asked for.
const DEFAULT_CIDR: &str = "172.16.0.0/12";
/// Prefix lengths that a network may have.
const PREFIXES: std::ops::RangeInclusive<u8> = 8..=28;
/// User ranges of a network at most.
const USER_CIDRS_MAX: usize = 3;

fn bad(code: &str, message: &str) -> Failure {
    Failure::new(400, code, message)
}

fn network_range(fields: &Fields<'_>) -> Result<Ipv4Net, Failure> {
    let text = fields.text("CidrBlock").unwrap_or_else(|| DEFAULT_CIDR.to_owned());
    cidr::range(&text)
        .filter(|range| PREFIXES.contains(&range.prefix_len()) && !cidr::is_reserved(range))
        .ok_or_else(|| bad("InvalidParameter", "Specified CIDR block is not valid"))
}

fn user_cidrs(fields: &Fields<'_>) -> Result<Vec<String>, Failure> {
    let Some(text) = fields.text("UserCidr") else { return Ok(Vec::new()) };
    let ranges: Vec<&str> = text.split(',').map(str::trim).collect();
    if ranges.len() > USER_CIDRS_MAX {
        return Err(bad("InvalidUserCidr.Quota", "Specified  UserCidr number is greater than 3."));
    }
    let shared: Ipv4Net = Ipv4Net::new_assert([100, 64, 0, 0].into(), 10);
    for range in &ranges {
        let range = cidr::range(range)
            .ok_or_else(|| bad("IllegalParam.UserCidr", "UserCidr is not a valid or strict address."))?;
        if range.contains(&shared) || shared.contains(&range) {
            let message = "Specified  UserCidr  overlapping in of 100.64.0.0/10.";
            return Err(bad("InvalidUserCidr.Malformed", message));
        }
    }
    Ok(ranges.into_iter().map(str::to_owned).collect())
}

/// Refuses what needs IPv6 or an address pool service.
fn refuse_unsupported(fields: &Fields<'_>) -> Result<(), Failure> {
    if fields.boolean("EnableIpv6")? == Some(true) {
        return Err(bad("OperationUnsupported.Ipv6Feature", "IPv6 is not supported in this region."));
    }
    if fields.text("Ipv4IpamPoolId").is_some() || fields.text("Ipv6IpamPoolId").is_some() {
        return Err(bad("UnsupportedFeature.Ipam", "IPAM is not supported in this region."));
    }
    if fields.integer("Ipv4CidrMask")?.is_some() {
        return Err(bad("IllegalParam.IpamPool", "The specified IPAM pool cannot be empty."));
    }
    if fields.text("Ipv6Isp").is_some() {
        return Err(bad("UnsupportedFeature.Ipv6Isp", "The Ipv6Isp feature is not supported."));
    }
    if fields.text("Ipv6CidrBlock").is_some() || fields.value("Ipv6CidrMask").is_some() {
        // The document gives no text.
        let message = "The parameter EnableIpv6 is mandatory when an IPv6 CIDR block is specified.";
        return Err(bad("MissingParam.EnableIpv6", message));
    }
    Ok(())
}

/// Name and description of a VPC.
pub const TEXTS: VpcTexts = VpcTexts {
    name: "VpcName",
    refusals: [
        ("InvalidVpcName.Malformed", "Specified VPC name is not valid."),
        ("InvalidVpcDiscription.Malformed", "Specified VPC description is not valid."),
    ],
};

fn decode(input: &Input<'_>) -> Result<Operation, Failure> {
    let fields = &input.fields;
    refuse_unsupported(fields)?;
    let (name, description) = TEXTS.of_new(fields)?;
    let facet = NetworkFacet {
        user_cidrs: user_cidrs(fields)?,
        dns_hostnames: fields.boolean("EnableDnsHostname")?.unwrap_or(false),
    };
    let operation = CreateNetwork {
        label: labels::label(fields, name, description, Codes::Vpc, facet::write(&facet))?,
        cidr: IpNet::V4(network_range(fields)?),
        secondary_cidrs: Vec::new(),
        is_default: false,
    };
    Ok(Operation::CreateNetwork(operation))
}

fn encode(outcome: &Outcome, context: &EncodeContext<'_>) -> Value {
    let key = selects::subject(outcome).filter(|key| key.kind == Kind::Network);
    let network = key.and_then(|key| context.view.network(causeway_model::NetworkId(key.id)));
    let Some(network) = network else { return json!({}) };
    json!({
        "VpcId": network.meta.external,
        "VRouterId": ids::router(network.meta.external.as_str()),
        "RouteTableId": context.view.external(network.main_table),
        "ResourceGroupId": network.meta.resource_group,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{World, refusal};

    fn refused(pairs: &[(&str, &str)]) -> String {
        let mut all = vec![("RegionId", "cn-hangzhou")];
        all.extend(pairs);
        refusal("CreateVpc", &all)
    }

    #[test]
    fn a_network_has_the_default_range_and_shows_its_router_and_table() {
        let mut world = World::new();
        let made = world.ok("CreateVpc", &[("VpcName", "a"), ("Tag.1.Key", "k"), ("Tag.1.Value", "v")]);
        let id = made["VpcId"].as_str().unwrap();
        assert!(id.starts_with("vpc-bp1"));
        assert!(made["VRouterId"].as_str().unwrap().starts_with("vrt-bp1"));
        assert!(made["RouteTableId"].as_str().unwrap().starts_with("vtb-bp1"));
        assert_eq!(made["ResourceGroupId"], "rg-1");
        assert_eq!(made["RequestId"], "R-1");
        let shown = world.ok("DescribeVpcAttribute", &[("VpcId", id)]);
        assert_eq!(shown["CidrBlock"], "172.16.0.0/12");
        assert_eq!(shown["Status"], "Pending");
        assert_eq!(shown["Tags"], json!({"Tag": [{"Key": "k", "Value": "v"}]}));
        world.observe();
        assert_eq!(world.ok("DescribeVpcAttribute", &[("VpcId", id)])["Status"], "Available");
    }

    #[test]
    fn rules_have_their_codes() {
        for wrong in ["10.0.0.1/8", "10.0.0.0/7", "10.0.0.0/29", "100.64.0.0/16", "224.0.0.0/8", "x"] {
            assert_eq!(refused(&[("CidrBlock", wrong)]), "InvalidParameter", "{wrong}");
        }
        let long = "n".repeat(129);
        assert_eq!(refused(&[("VpcName", &long)]), "InvalidVpcName.Malformed");
        assert_eq!(refused(&[("VpcName", "http://a")]), "InvalidVpcName.Malformed");
        assert_eq!(refused(&[("Description", "https://a")]), "InvalidVpcDiscription.Malformed");
        assert_eq!(refused(&[("EnableIpv6", "True")]), "OperationUnsupported.Ipv6Feature");
        assert_eq!(
            refused(&[("UserCidr", "1.0.0.0/8,2.0.0.0/8,3.0.0.0/8,4.0.0.0/8")]),
            "InvalidUserCidr.Quota"
        );
        assert_eq!(refused(&[("UserCidr", "100.64.1.0/24")]), "InvalidUserCidr.Malformed");
        assert_eq!(refused(&[("ResourceGroupId", "rg-9")]), "accepted");
        assert_eq!(World::new().code("CreateVpc", &[("ResourceGroupId", "rg-9")]), "InvalidResourceGroupId");
    }

    #[test]
    fn the_eleventh_network_of_a_region_is_too_many() {
        let mut world = World::new();
        for _ in 0..10 {
            world.ok("CreateVpc", &[]);
        }
        assert_eq!(world.code("CreateVpc", &[]), "QuotaExceeded.Vpc");
    }

    #[test]
    fn a_client_token_makes_one_network() {
        let mut world = World::new();
        let first = world.ok("CreateVpc", &[("ClientToken", "t"), ("VpcName", "a")]);
        let again = world.ok("CreateVpc", &[("ClientToken", "t"), ("VpcName", "a")]);
        assert_eq!(first["VpcId"], again["VpcId"]);
        let other = world.code("CreateVpc", &[("ClientToken", "t"), ("VpcName", "b")]);
        assert_eq!(other, "IdempotentParameterMismatch");
    }
}
