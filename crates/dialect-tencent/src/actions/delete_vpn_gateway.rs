//! DeleteVpnGateway: asynchronous; the gateway is `DELETING`, then absent.

use causeway_model::Kind;
use causeway_ops::Operation;
use causeway_ops::operation::Target;

use crate::action::{self, Action, Input};
use crate::refusal::Refusal;

/// See the module.
pub const ACTION: Action = Action { service: "vpc", name: "DeleteVpnGateway", decode, encode: action::done };

fn decode(input: &Input<'_>) -> Result<Operation, Refusal> {
    let id = input.members().required_id("VpnGatewayId", Kind::Gateway, "InvalidVpnGatewayId.Malformed")?;
    Ok(Operation::DeleteGateway(Target { id, parent: None }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing;

    #[test]
    fn ids_are_checked() {
        let cases = [
            (json!({}), "MissingParameter"),
            (json!({"VpnGatewayId": "x"}), "InvalidVpnGatewayId.Malformed"),
        ];
        for (given, code) in cases {
            assert_eq!(testing::decode("DeleteVpnGateway", given).expect_err("is refused").code, code);
        }
    }
}
