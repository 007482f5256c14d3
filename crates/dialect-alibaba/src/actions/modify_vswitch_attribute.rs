//! ModifyVSwitchAttribute: name and description.

use causeway_dialect::{EncodeContext, Failure};
use causeway_model::Kind;
use causeway_ops::operation::Relabel;
use causeway_ops::{Operation, Outcome};
use serde_json::{Value, json};

use crate::action::{Action, Input};
use crate::actions::create_vswitch::refuse_ipv6;
use crate::labels::VpcTexts;

pub const ACTION: Action = Action { service: "vpc", name: "ModifyVSwitchAttribute", decode, encode };

fn bad(code: &str, message: &str) -> Failure {
    Failure::new(400, code, message)
}

const TEXTS: VpcTexts = VpcTexts {
    name: "VSwitchName",
    refusals: [
        ("InvalidVSwitchName.Malformed", "Specified virtual switch name is not valid."),
        ("InvalidVSwitchDiscription.Malformed", "Specified virtual switch description is not valid."),
    ],
};

fn decode(input: &Input<'_>) -> Result<Operation, Failure> {
    let fields = &input.fields;
    let id = fields.required_id("VSwitchId")?;
    refuse_ipv6(fields)?;
    if fields.boolean("EnableIPv6")? == Some(true) {
        // The document gives no text.
        return Err(bad("OperationFailed.VpcIpv6Disabled", "IPv6 is not enabled for the VPC."));
    }
    let (name, description) = TEXTS.of_change(fields)?;
    Ok(Operation::Relabel(Relabel { kind: Kind::Subnet, id, name, description, facet: None }))
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
        let [_, switch, _] = world.network();
        let id = ("VSwitchId", switch.as_str());
        let mut change = |given: &[(&str, &str)], name: &str, description: &str| {
            world.ok("ModifyVSwitchAttribute", &[&[id], given].concat());
            let shown = world.ok("DescribeVSwitchAttributes", &[id]);
            assert_eq!(shown["VSwitchName"], name);
            assert_eq!(shown["Description"], description);
        };
        change(&[("VSwitchName", "a"), ("Description", "d")], "a", "d");
        change(&[("VSwitchName", "b")], "b", "d");
        change(&[("Description", "")], "b", "");
    }

    #[test]
    fn rules_have_their_codes() {
        let mut world = World::new();
        let [_, switch, _] = world.network();
        let mut code = |id: &str, name: &str, value: &str| {
            world.code("ModifyVSwitchAttribute", &[("VSwitchId", id), (name, value)])
        };
        assert_eq!(code(&switch, "VSwitchName", "http://a"), "InvalidVSwitchName.Malformed");
        assert_eq!(code(&switch, "Description", "https://a"), "InvalidVSwitchDiscription.Malformed");
        assert_eq!(code(&switch, "Ipv6CidrBlock", "1"), "OperationFailed.VpcIpv6Disabled");
        assert_eq!(code(&switch, "EnableIPv6", "true"), "OperationFailed.VpcIpv6Disabled");
        assert_eq!(code("vsw-none", "VSwitchName", "a"), "InvalidVSwitchId.NotFound");
    }
}
