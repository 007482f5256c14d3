//! DeleteCustomerGateway.

use causeway_dialect::{EncodeContext, Failure};
use causeway_ops::operation::Target;
use causeway_ops::{Operation, Outcome};
use serde_json::{Value, json};

use crate::action::{Action, Input};

pub const ACTION: Action = Action { service: "vpc", name: "DeleteCustomerGateway", decode, encode };

fn decode(input: &Input<'_>) -> Result<Operation, Failure> {
    let id = input.fields.required_id("CustomerGatewayId")?;
    Ok(Operation::DeleteCustomerGateway(Target { id, parent: None }))
}

fn encode(_: &Outcome, _: &EncodeContext<'_>) -> Value {
    json!({})
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn it_goes_at_once() {
        let mut world = World::new();
        let id = world.customer_gateway("101.12.0.1");
        let target = [("CustomerGatewayId", id.as_str())];
        world.ok("DeleteCustomerGateway", &target);
        let word = "InvalidCustomerGatewayInstanceId.NotFound";
        assert_eq!(world.code("DeleteCustomerGateway", &target), word);
        world.customer_gateway("101.12.0.1");
    }
}
