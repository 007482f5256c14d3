//! DescribeCustomerGateway.

use causeway_dialect::{EncodeContext, Failure};
use causeway_model::{Kind, Record};
use causeway_ops::{Operation, Outcome};
use serde_json::{Value, json};

use crate::action::{Action, Input};
use crate::selects::{found, one};
use crate::shapes::customer_gateway;

pub const ACTION: Action = Action { service: "vpc", name: "DescribeCustomerGateway", decode, encode };

fn decode(input: &Input<'_>) -> Result<Operation, Failure> {
    Ok(one(Kind::CustomerGateway, input.fields.required_id("CustomerGatewayId")?))
}

fn encode(outcome: &Outcome, _: &EncodeContext<'_>) -> Value {
    match found(outcome).0.first() {
        Some(Record::CustomerGateway(it)) => customer_gateway::describe(it),
        _ => json!({}),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn numbers_are_numbers_and_keys_are_shown() {
        let mut world = World::new();
        let pairs = [("IpAddress", "101.12.0.1"), ("Asn", "123.456"), ("AuthKey", "secret")];
        let id = world.made("CreateCustomerGateway", &pairs, "CustomerGatewayId");
        let shown = world.ok("DescribeCustomerGateway", &[("CustomerGatewayId", &id)]);
        assert_eq!(shown["Asn"], 8_061_384);
        assert_eq!(shown["AuthKey"], "secret");
        assert_eq!(shown["ResourceGroupId"], "rg-1");
        let failure = world.call("DescribeCustomerGateway", &[("CustomerGatewayId", "cgw-1")]).unwrap_err();
        let wanted = (404, "InvalidCustomerGatewayInstanceId.NotFound");
        assert_eq!((failure.status, failure.code.as_str()), wanted);
    }
}
