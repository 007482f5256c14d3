//! DescribeCustomerGateways.

use causeway_dialect::{EncodeContext, Failure};
use causeway_model::{Kind, Record};
use causeway_ops::{Operation, Outcome};
use serde_json::Value;

use crate::action::{Action, Input};
use crate::selects::List;
use crate::shapes::{customer_gateway, page};
use crate::tags::{self, Codes};

pub const ACTION: Action = Action { service: "vpc", name: "DescribeCustomerGateways", decode, encode };

fn decode(input: &Input<'_>) -> Result<Operation, Failure> {
    let fields = &input.fields;
    List::of(Kind::CustomerGateway)
        .ids(fields, "CustomerGatewayId")
        .in_group(fields)
        .with(tags::filter(fields, Codes::Vpn)?)
        .page(fields)
}

fn encode(outcome: &Outcome, context: &EncodeContext<'_>) -> Value {
    page::page(outcome, context, ("CustomerGateways", "CustomerGateway"), |record| match record {
        Record::CustomerGateway(it) => Some(customer_gateway::describe(it)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn pages() {
        let mut world = World::new();
        let first = world.customer_gateway("101.12.0.1");
        world.customer_gateway("101.12.0.2");
        let shown = world.ok("DescribeCustomerGateways", &[("PageSize", "1")]);
        assert_eq!(shown["TotalCount"], 2);
        assert_eq!(shown["CustomerGateways"]["CustomerGateway"][0]["CustomerGatewayId"], first.as_str());
        let shown = world.ok("DescribeCustomerGateways", &[("CustomerGatewayId", &first)]);
        assert_eq!(shown["TotalCount"], 1);
    }
}
