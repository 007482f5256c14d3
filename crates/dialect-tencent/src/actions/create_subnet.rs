//! CreateSubnet. Synchronous.

use causeway_dialect::EncodeContext;
use causeway_model::{Kind, SubnetId};
use causeway_ops::operation::{CreateSubnet, Label};
use causeway_ops::{Operation, Outcome};
use ipnet::IpNet;

use crate::action::{self, Action, Answer, Input};
use crate::facet::{self, SubnetFacet};
use crate::params::MALFORMED;
use crate::refusal::Refusal;
use crate::shapes::subnet::subnet;

/// See the module.
pub const ACTION: Action = Action { service: "vpc", name: "CreateSubnet", decode, encode };

const NAME_BYTES_MAX: usize = 60;
const MASK_MIN: u8 = 16;
const MASK_MAX: u8 = 28;

fn decode(input: &Input<'_>) -> Result<Operation, Refusal> {
    let members = input.members();
    let network = members.required_id("VpcId", Kind::Network, MALFORMED)?;
    let name = members.name_bytes("SubnetName", NAME_BYTES_MAX)?;
    members.required("Zone")?;
    let zone = input.zone("Zone")?.ok_or_else(|| Refusal::missing("Zone"))?;
    let stack = members.word("StackType", &["DualStack", "IPv6Only"])?;
    if stack == Some("IPv6Only") || members.text("Ipv6CidrBlock").is_some() {
        return Err(Refusal::unsupported("IPv6 subnets"));
    }
    if let Some(cluster) = members.text("CdcId") {
        return Err(crate::errors::missing_resource(&cluster.into()));
    }
    let cidr = members.cidr("CidrBlock")?.ok_or_else(|| Refusal::missing("CidrBlock"))?;
    if !(MASK_MIN..=MASK_MAX).contains(&cidr.prefix_len()) {
        return Err(Refusal::value_as("InvalidParameterValue.SubnetRange", "CidrBlock", cidr));
    }
    let facet = facet::write(&SubnetFacet::default());
    let label = Label { name, tags: members.tags()?, facet, ..Label::default() };
    let it = CreateSubnet { label, network, zone, cidr: IpNet::V4(cidr) };
    Ok(Operation::CreateSubnet(it))
}

fn encode(outcome: &Outcome, context: &EncodeContext<'_>) -> Result<Answer, Refusal> {
    let made = action::created(outcome).and_then(|key| context.view.subnet(SubnetId(key.id)));
    let made = made.ok_or_else(action::lost)?;
    Ok(action::one("Subnet", subnet(context.view, made)))
}

#[cfg(test)]
mod tests {
    use causeway_model::View;
    use serde_json::json;

    use crate::testing;

    #[test]
    fn a_subnet_has_the_main_table_and_its_addresses() {
        let mut view = View::default();
        let network = json!({"VpcName": "v", "CidrBlock": "10.0.0.0/16"});
        let network = testing::call(&mut view, "vpc", "CreateVpc", network).unwrap();
        let id = network["Vpc"]["VpcId"].clone();
        let given =
            json!({"VpcId": id, "SubnetName": "s", "CidrBlock": "10.0.1.0/24", "Zone": "ap-guangzhou-3"});
        let subnet = testing::call(&mut view, "vpc", "CreateSubnet", given.clone()).unwrap();
        assert_eq!(subnet["Subnet"]["AvailableIpAddressCount"], 253);
        assert!(subnet["Subnet"]["RouteTableId"].as_str().unwrap().starts_with("rtb-"));
        let again = testing::call(&mut view, "vpc", "CreateSubnet", given.clone()).expect_err("overlaps");
        assert_eq!(again.code, "InvalidParameterValue.SubnetConflict");
        let outside = testing::merged(given, json!({"CidrBlock": "10.1.0.0/24"}));
        let outside = testing::call(&mut view, "vpc", "CreateSubnet", outside).expect_err("is outside");
        assert_eq!(outside.code, "InvalidParameterValue.SubnetRange");
        let used = testing::call(&mut view, "vpc", "DeleteVpc", json!({"VpcId": id})).expect_err("is used");
        assert_eq!(used.code, "ResourceInUse");
    }

    #[test]
    fn each_refusal_has_its_code() {
        let base = json!({"VpcId": "vpc-1", "SubnetName": "s", "CidrBlock": "10.0.1.0/24", "Zone": "ap-guangzhou-3"});
        let cases = [
            (json!({"VpcId": "v"}), "InvalidParameterValue.Malformed"),
            (json!({"SubnetName": "s".repeat(61)}), "InvalidParameterValue.TooLong"),
            (json!({"Zone": "ap-shanghai-1"}), "InvalidParameterValue"),
            (json!({"Zone": null}), "MissingParameter"),
            (json!({"CidrBlock": null}), "MissingParameter"),
            (json!({"CidrBlock": "10.0.1.0/29"}), "InvalidParameterValue.SubnetRange"),
            (json!({"CidrBlock": "10.0.1.1/24"}), "InvalidParameterValue.Malformed"),
        ];
        for (extra, code) in cases {
            let given = testing::merged(base.clone(), extra.clone());
            assert_eq!(testing::decode("CreateSubnet", given).expect_err("is refused").code, code, "{extra}");
        }
    }
}
