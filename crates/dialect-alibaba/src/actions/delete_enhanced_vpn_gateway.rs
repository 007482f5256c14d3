//! DeleteEnhancedVpnGateway.

use causeway_dialect::{EncodeContext, Failure};
use causeway_ops::operation::Target;
use causeway_ops::{Operation, Outcome};
use serde_json::{Value, json};

use crate::action::{Action, Input};

pub const ACTION: Action = Action { service: "vpc", name: "DeleteEnhancedVpnGateway", decode, encode };

fn decode(input: &Input<'_>) -> Result<Operation, Failure> {
    let id = input.fields.required_id("VpnGatewayId")?;
    Ok(Operation::DeleteGateway(Target { id, parent: None }))
}

fn encode(_: &Outcome, _: &EncodeContext<'_>) -> Value {
    json!({})
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn an_enhanced_gateway_goes() {
        let mut world = World::new();
        let id = world.dual_gateway();
        world.ok("DeleteEnhancedVpnGateway", &[("VpnGatewayId", &id)]);
        world.observe();
        let failure = world.call("DeleteEnhancedVpnGateway", &[("VpnGatewayId", &id)]).unwrap_err();
        assert_eq!((failure.status, failure.code.as_str()), (400, "InvalidVpnGatewayInstanceId.NotFound"));
    }
}
