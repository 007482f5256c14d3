//! DescribeVpnGateway.

use causeway_dialect::json::Members;
use causeway_dialect::{EncodeContext, Failure};
use causeway_model::{Kind, Record};
use causeway_ops::{Operation, Outcome};
use serde_json::{Value, json};

use crate::action::{Action, Input};
use crate::selects::{found, one};
use crate::shapes::gateway;

pub const ACTION: Action = Action { service: "vpc", name: "DescribeVpnGateway", decode, encode };

fn decode(input: &Input<'_>) -> Result<Operation, Failure> {
    Ok(one(Kind::Gateway, input.fields.required_id("VpnGatewayId")?))
}

fn encode(outcome: &Outcome, context: &EncodeContext<'_>) -> Value {
    match found(outcome).0.first() {
        Some(Record::Gateway(it)) => gateway::tree(it, context),
        _ => json!({}),
    }
}

/// The answer, written at once.
pub fn write(outcome: &Outcome, context: &EncodeContext<'_>) -> Members {
    match found(outcome).0.first() {
        Some(Record::Gateway(it)) => {
            Members::of(&gateway::describe(it, context.view, &context.caller.settings, context.now))
        }
        _ => Members::new(),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn a_gateway_that_is_gone_is_404() {
        let failure = World::new().call("DescribeVpnGateway", &[("VpnGatewayId", "vpn-1")]).unwrap_err();
        assert_eq!((failure.status, failure.code.as_str()), (404, "InvalidVpnGatewayInstanceId.NotFound"));
        assert_eq!(World::new().code("DescribeVpnGateway", &[]), "MissingVpnGatewayId");
    }
}
