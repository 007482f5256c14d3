//! DeleteVSwitch.

use causeway_dialect::{EncodeContext, Failure};
use causeway_ops::operation::Target;
use causeway_ops::{Operation, Outcome};
use serde_json::{Value, json};

use crate::action::{Action, Input};

pub const ACTION: Action = Action { service: "vpc", name: "DeleteVSwitch", decode, encode };

fn decode(input: &Input<'_>) -> Result<Operation, Failure> {
    let id = input.fields.required_id("VSwitchId")?;
    Ok(Operation::DeleteSubnet(Target { id, parent: None }))
}

fn encode(_: &Outcome, _: &EncodeContext<'_>) -> Value {
    json!({})
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn a_switch_with_a_gateway_stays() {
        let mut world = World::new();
        let gateway = world.gateway();
        let shown = world.ok("DescribeVpnGateway", &[("VpnGatewayId", &gateway)]);
        let switch = shown["VSwitchId"].as_str().unwrap();
        assert_eq!(world.code("DeleteVSwitch", &[("VSwitchId", switch)]), "DependencyViolation");
        world.ok("DeleteVpnGateway", &[("VpnGatewayId", &gateway)]);
        world.observe();
        world.ok("DeleteVSwitch", &[("VSwitchId", switch)]);
        assert_eq!(world.code("DeleteVSwitch", &[("VSwitchId", "vsw-none")]), "InvalidVSwitchId.NotFound");
    }
}
