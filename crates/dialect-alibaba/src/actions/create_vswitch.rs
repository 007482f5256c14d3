//! CreateVSwitch.

use causeway_dialect::{EncodeContext, Failure};
use causeway_model::Zone;
use causeway_ops::operation::CreateSubnet;
use causeway_ops::{Operation, Outcome};
use ipnet::IpNet;
use serde_json::{Value, json};

use crate::action::{Action, Input};
use crate::labels::VpcTexts;
use crate::params::Fields;
use crate::tags::Codes;
use crate::{cidr, labels, selects};

pub const ACTION: Action = Action { service: "vpc", name: "CreateVSwitch", decode, encode };

/// Prefix lengths that a vSwitch may have.
const PREFIXES: std::ops::RangeInclusive<u8> = 16..=29;

fn bad(code: &str, message: &str) -> Failure {
    Failure::new(400, code, message)
}

fn switch_range(fields: &Fields<'_>) -> Result<IpNet, Failure> {
    let text =
        fields.text("CidrBlock").ok_or_else(|| bad("MissingParameter", "Miss mandatory parameter."))?;
    let range = cidr::range(&text)
        .ok_or_else(|| bad("InvalidCidrBlock.Malformed", "Specified CIDR block is not valid."))?;
    if PREFIXES.contains(&range.prefix_len()) {
        Ok(IpNet::V4(range))
    } else {
        Err(bad("InvalidCirdrBlock.MaskLength", "Specified CIDR block is not valid ."))
    }
}

/// Refuses ranges of IPv6: no network here has any.
///
/// # Errors
/// `OperationFailed.VpcIpv6Disabled`.
pub fn refuse_ipv6(fields: &Fields<'_>) -> Result<(), Failure> {
    let mut names = ["Ipv6CidrBlock", "Ipv6CidrMask", "VpcIpv6CidrBlock"].into_iter();
    if names.any(|name| fields.value(name).is_some()) {
        // The document gives no text.
        return Err(bad("OperationFailed.VpcIpv6Disabled", "IPv6 is not enabled for the VPC."));
    }
    Ok(())
}

const TEXTS: VpcTexts = VpcTexts {
    name: "VSwitchName",
    refusals: [
        ("InvalidVSwitchName.Malformed", "Specified virtual switch name is not valid."),
        // With two spaces, as the document has it for this action.
        ("InvalidVSwitchDiscription.Malformed", "Specified  virtual switch description is not valid."),
    ],
};

fn decode(input: &Input<'_>) -> Result<Operation, Failure> {
    let fields = &input.fields;
    refuse_ipv6(fields)?;
    let (name, description) = TEXTS.of_new(fields)?;
    Ok(Operation::CreateSubnet(CreateSubnet {
        label: labels::label(fields, name, description, Codes::Vpc, String::new())?,
        network: fields.required_id("VpcId")?,
        zone: Zone::from(fields.required("ZoneId")?),
        cidr: switch_range(fields)?,
    }))
}

fn encode(outcome: &Outcome, context: &EncodeContext<'_>) -> Value {
    json!({"VSwitchId": selects::subject(outcome).map(|key| context.view.external(key)).unwrap_or_default()})
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn rules_have_their_codes() {
        let mut world = World::new();
        let vpc = world.made("CreateVpc", &[("CidrBlock", "10.0.0.0/8")], "VpcId");
        let mut code = |vpc: &str, zone: &str, cidr: &str| {
            world.code("CreateVSwitch", &[("VpcId", vpc), ("ZoneId", zone), ("CidrBlock", cidr)])
        };
        let zone = "cn-hangzhou-h";
        assert_eq!(code("vpc-none", zone, "10.0.1.0/24"), "InvalidVpcId.NotFound");
        assert_eq!(code(&vpc, "cn-hangzhou-z", "10.0.1.0/24"), "InvalidZoneId.NotFound");
        assert_eq!(code(&vpc, zone, "192.168.0.0/24"), "InvalidParameter");
        assert_eq!(code(&vpc, zone, "10.0.0.0/15"), "InvalidCirdrBlock.MaskLength");
        assert_eq!(code(&vpc, zone, "10.0.0.0/30"), "InvalidCirdrBlock.MaskLength");
        assert_eq!(code(&vpc, zone, "10.0.0.1/24"), "InvalidCidrBlock.Malformed");
        assert_eq!(code(&vpc, "", "10.0.1.0/24"), "MissingZoneId");
        assert_eq!(code(&vpc, zone, ""), "MissingParameter");
    }

    #[test]
    fn switches_do_not_overlap() {
        let mut world = World::new();
        let [vpc, _, _] = world.network();
        let pairs = [("VpcId", vpc.as_str()), ("ZoneId", "cn-hangzhou-h"), ("CidrBlock", "10.0.0.0/20")];
        assert_eq!(world.code("CreateVSwitch", &pairs), "InvalidCidrBlock.Overlapped");
    }

    #[test]
    fn the_answer_names_the_switch() {
        let mut world = World::new();
        let [_, switch, _] = world.network();
        let shown = world.ok("DescribeVSwitchAttributes", &[("VSwitchId", &switch)]);
        assert_eq!(shown["CidrBlock"], "10.0.1.0/24");
        // A /24 less the network's and the router's address and three at its end.
        assert_eq!(shown["AvailableIpAddressCount"], 251);
        assert_eq!(shown["RouteTable"]["RouteTableType"], "System");
    }
}
