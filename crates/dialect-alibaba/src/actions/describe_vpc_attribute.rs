//! DescribeVpcAttribute.

use causeway_dialect::{EncodeContext, Failure};
use causeway_model::{Kind, Record};
use causeway_ops::{Operation, Outcome};
use serde_json::{Value, json};

use crate::action::{Action, Input};
use crate::selects::{found, one};
use crate::shapes::network;

pub const ACTION: Action = Action { service: "vpc", name: "DescribeVpcAttribute", decode, encode };

fn decode(input: &Input<'_>) -> Result<Operation, Failure> {
    Ok(one(Kind::Network, input.fields.required_id("VpcId")?))
}

fn encode(outcome: &Outcome, context: &EncodeContext<'_>) -> Value {
    match found(outcome).0.first() {
        Some(Record::Network(it)) => network::describe_alone(it, context.view),
        _ => json!({}),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn a_network_that_is_gone_is_404() {
        let failure = World::new().call("DescribeVpcAttribute", &[("VpcId", "vpc-1")]).unwrap_err();
        assert_eq!((failure.status, failure.code.as_str()), (404, "InvalidVpcId.NotFound"));
        assert_eq!(World::new().code("DescribeVpcAttribute", &[]), "MissingVpcId");
    }

    #[test]
    fn its_switches_are_listed() {
        let mut world = World::new();
        let [vpc, first, second] = world.network();
        let shown = world.ok("DescribeVpcAttribute", &[("VpcId", &vpc)]);
        assert_eq!(shown["VSwitchIds"]["VSwitchId"], serde_json::json!([first, second]));
        assert_eq!(shown["CloudResources"]["CloudResourceSetType"][0]["ResourceCount"], 2);
        assert_eq!(shown["OwnerId"], 1_000_000_000_000_001_i64);
    }
}
