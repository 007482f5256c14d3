//! ModifyVpcAttribute: name, description, and names for hosts. The range of a network stays what it is.

use causeway_dialect::{EncodeContext, Failure};
use causeway_model::Kind;
use causeway_ops::operation::{FacetChange, Relabel};
use causeway_ops::{Operation, Outcome};
use serde_json::{Value, json};

use crate::action::{Action, Input};
use crate::actions::create_vpc::TEXTS;
use crate::facet::{self, NetworkFacet};
use crate::params::Fields;

pub const ACTION: Action = Action { service: "vpc", name: "ModifyVpcAttribute", decode, encode };

fn bad(code: &str, message: &str) -> Failure {
    Failure::new(400, code, message)
}

/// Refuses another range, and what needs IPv6.
fn refuse_unsupported(fields: &Fields<'_>) -> Result<(), Failure> {
    if fields.text("CidrBlock").is_some() {
        // Not in the document: there a range can be widened.
        return Err(bad(
            "OperationUnsupported.CidrBlock",
            "The CIDR block of a VPC cannot be modified here.",
        ));
    }
    if fields.text("Ipv6Isp").is_some() {
        return Err(bad("UnsupportedFeature.Ipv6Isp", "The Ipv6Isp feature is not supported."));
    }
    if fields.boolean("EnableIPv6")? == Some(true) || fields.text("Ipv6CidrBlock").is_some() {
        return Err(bad("OperationUnsupported.Ipv6Feature", "IPv6 is not supported in this region."));
    }
    Ok(())
}

fn decode(input: &Input<'_>) -> Result<Operation, Failure> {
    let fields = &input.fields;
    let id = fields.required_id("VpcId")?;
    refuse_unsupported(fields)?;
    let (name, description) = TEXTS.of_change(fields)?;
    let facet = fields.boolean("EnableDnsHostname")?.map(|dns_hostnames| {
        FacetChange::new(move |old| {
            let own: NetworkFacet = facet::parse(old);
            facet::write(&NetworkFacet { dns_hostnames, ..own })
        })
    });
    Ok(Operation::Relabel(Relabel { kind: Kind::Network, id, name, description, facet }))
}

fn encode(_: &Outcome, _: &EncodeContext<'_>) -> Value {
    json!({})
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn what_is_left_out_stays() {
        let mut world = World::new();
        let made = [("CidrBlock", "10.0.0.0/8"), ("UserCidr", "192.168.0.0/16")];
        let vpc = world.made("CreateVpc", &made, "VpcId");
        let id = ("VpcId", vpc.as_str());
        let mut change = |given: &[(&str, &str)], label: [&str; 2], names: &str| {
            world.ok("ModifyVpcAttribute", &[&[id], given].concat());
            let shown = world.ok("DescribeVpcAttribute", &[id]);
            assert_eq!([&shown["VpcName"], &shown["Description"]], label);
            assert_eq!(shown["DnsHostnameStatus"], names);
            assert_eq!(shown["UserCidrs"]["UserCidr"][0], "192.168.0.0/16");
        };
        change(&[("VpcName", "a"), ("Description", "d")], ["a", "d"], "DISABLED");
        change(&[("EnableDnsHostname", "true")], ["a", "d"], "ENABLED");
        change(&[("VpcName", "b")], ["b", "d"], "ENABLED");
        change(&[("Description", "")], ["b", ""], "ENABLED");
    }

    #[test]
    fn rules_have_their_codes() {
        let mut world = World::new();
        let [vpc, _, _] = world.network();
        let mut code = |id: &str, name: &str, value: &str| {
            world.code("ModifyVpcAttribute", &[("VpcId", id), (name, value)])
        };
        assert_eq!(code(&vpc, "VpcName", "http://a"), "InvalidVpcName.Malformed");
        assert_eq!(code(&vpc, "Description", &"d".repeat(257)), "InvalidVpcDiscription.Malformed");
        assert_eq!(code(&vpc, "CidrBlock", "10.0.0.0/7"), "OperationUnsupported.CidrBlock");
        assert_eq!(code(&vpc, "EnableIPv6", "true"), "OperationUnsupported.Ipv6Feature");
        assert_eq!(code(&vpc, "Ipv6CidrBlock", "fd00::/56"), "OperationUnsupported.Ipv6Feature");
        assert_eq!(code(&vpc, "Ipv6Isp", "BGP"), "UnsupportedFeature.Ipv6Isp");
        assert_eq!(code("vpc-none", "VpcName", "a"), "InvalidVpcId.NotFound");
    }
}
