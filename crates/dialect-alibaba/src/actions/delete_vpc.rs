//! DeleteVpc.

use causeway_dialect::{EncodeContext, Failure};
use causeway_ops::operation::Target;
use causeway_ops::{Operation, Outcome};
use serde_json::{Value, json};

use crate::action::{Action, Input};

pub const ACTION: Action = Action { service: "vpc", name: "DeleteVpc", decode, encode };

/// `ForceDelete` takes along gateways of IPv4 and IPv6 with their tables, of which there are none here: a network
/// with something else in it stays.
fn decode(input: &Input<'_>) -> Result<Operation, Failure> {
    let id = input.fields.required_id("VpcId")?;
    Ok(Operation::DeleteNetwork(Target { id, parent: None }))
}

fn encode(_: &Outcome, _: &EncodeContext<'_>) -> Value {
    json!({})
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn a_network_goes_after_its_switches() {
        let mut world = World::new();
        let [vpc, first, second] = world.network();
        assert_eq!(world.code("DeleteVpc", &[("VpcId", &vpc)]), "DependencyViolation.VSwitch");
        for switch in [first, second] {
            world.ok("DeleteVSwitch", &[("VSwitchId", &switch)]);
        }
        world.observe();
        world.ok("DeleteVpc", &[("VpcId", &vpc)]);
        world.observe();
        assert_eq!(world.code("DescribeVpcAttribute", &[("VpcId", &vpc)]), "InvalidVpcId.NotFound");
    }
}
