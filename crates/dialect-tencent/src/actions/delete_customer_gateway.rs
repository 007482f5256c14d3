//! DeleteCustomerGateway: refused while connections use it.

use causeway_model::Kind;
use causeway_ops::Operation;
use causeway_ops::operation::Target;

use crate::action::{self, Action, Input};
use crate::params::MALFORMED;
use crate::refusal::Refusal;

/// See the module.
pub const ACTION: Action =
    Action { service: "vpc", name: "DeleteCustomerGateway", decode, encode: action::done };

fn decode(input: &Input<'_>) -> Result<Operation, Refusal> {
    let id = input.members().required_id("CustomerGatewayId", Kind::CustomerGateway, MALFORMED)?;
    Ok(Operation::DeleteCustomerGateway(Target { id, parent: None }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing;

    #[test]
    fn ids_are_checked() {
        let cases = [(json!({}), "MissingParameter"), (json!({"CustomerGatewayId": "x"}), MALFORMED)];
        for (given, code) in cases {
            assert_eq!(testing::decode("DeleteCustomerGateway", given).expect_err("is refused").code, code);
        }
    }
}
