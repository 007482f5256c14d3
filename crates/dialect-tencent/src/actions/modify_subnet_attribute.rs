//! ModifySubnetAttribute: name and broadcast. Terraform calls it after every CreateSubnet.

use causeway_model::Kind;
use causeway_ops::Operation;
use causeway_ops::operation::{FacetChange, Relabel};

use crate::action::{self, Action, Input};
use crate::facet::{self, SubnetFacet};
use crate::params::MALFORMED;
use crate::refusal::Refusal;

/// See the module.
pub const ACTION: Action =
    Action { service: "vpc", name: "ModifySubnetAttribute", decode, encode: action::done };

const NAME_BYTES_MAX: usize = 60;

fn decode(input: &Input<'_>) -> Result<Operation, Refusal> {
    let members = input.members();
    let id = members.required_id("SubnetId", Kind::Subnet, MALFORMED)?;
    let name = match members.text("SubnetName") {
        Some(_) => Some(members.name_bytes("SubnetName", NAME_BYTES_MAX)?),
        None => None,
    };
    let broadcast = members.flag_text("EnableBroadcast")?;
    let facet =
        broadcast.map(|broadcast| FacetChange::new(move |_| facet::write(&SubnetFacet { broadcast })));
    Ok(Operation::Relabel(Relabel { kind: Kind::Subnet, id, name, description: None, facet }))
}

#[cfg(test)]
mod tests {
    use causeway_model::View;
    use serde_json::json;

    use crate::testing;

    #[test]
    fn what_terraform_sends_after_a_subnet_changes_nothing() {
        let mut view = View::default();
        let vpc = json!({"VpcName": "v", "CidrBlock": "10.0.0.0/16"});
        let vpc = testing::call(&mut view, "vpc", "CreateVpc", vpc).unwrap();
        let given = json!({"VpcId": vpc["Vpc"]["VpcId"], "SubnetName": "s", "CidrBlock": "10.0.1.0/24",
            "Zone": "ap-guangzhou-3"});
        let made = testing::call(&mut view, "vpc", "CreateSubnet", given).unwrap();
        let id = made["Subnet"]["SubnetId"].clone();
        let given = json!({"SubnetId": id, "SubnetName": "s", "EnableBroadcast": "false"});
        testing::call(&mut view, "vpc", "ModifySubnetAttribute", given).unwrap();
        let found = testing::call(&mut view, "vpc", "DescribeSubnets", json!({"SubnetIds": [id]})).unwrap();
        assert_eq!(found["SubnetSet"][0], made["Subnet"]);
        let given = json!({"SubnetId": id, "SubnetName": "t", "EnableBroadcast": "TRUE"});
        testing::call(&mut view, "vpc", "ModifySubnetAttribute", given).unwrap();
        let found = testing::call(&mut view, "vpc", "DescribeSubnets", json!({"SubnetIds": [id]})).unwrap();
        let subnet = &found["SubnetSet"][0];
        assert_eq!((&subnet["SubnetName"], &subnet["EnableBroadcast"]), (&json!("t"), &json!(true)));
    }
}
