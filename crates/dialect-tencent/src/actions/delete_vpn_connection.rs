//! DeleteVpnConnection: asynchronous; the connection is `DELETING`, then absent.

use causeway_model::Kind;
use causeway_ops::Operation;
use causeway_ops::operation::Target;

use crate::action::{self, Action, Input};
use crate::params::MALFORMED;
use crate::refusal::Refusal;

/// See the module.
pub const ACTION: Action =
    Action { service: "vpc", name: "DeleteVpnConnection", decode, encode: action::done };

fn decode(input: &Input<'_>) -> Result<Operation, Refusal> {
    let members = input.members();
    let parent = members.required_id("VpnGatewayId", Kind::Gateway, MALFORMED)?;
    let id = members.required_id("VpnConnectionId", Kind::Connection, MALFORMED)?;
    Ok(Operation::DeleteConnection(Target { id, parent: Some(parent) }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing;

    #[test]
    fn both_ids_are_required() {
        let cases = [
            (json!({"VpnConnectionId": "vpnx-1"}), "MissingParameter"),
            (json!({"VpnGatewayId": "vpngw-1"}), "MissingParameter"),
            (
                json!({"VpnGatewayId": "vpngw-1", "VpnConnectionId": "vco-1"}),
                "InvalidParameterValue.Malformed",
            ),
        ];
        for (given, code) in cases {
            assert_eq!(testing::decode("DeleteVpnConnection", given).expect_err("is refused").code, code);
        }
    }
}
