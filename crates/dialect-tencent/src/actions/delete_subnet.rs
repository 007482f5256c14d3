//! DeleteSubnet: refused while something is in it.

use causeway_model::Kind;
use causeway_ops::Operation;
use causeway_ops::operation::Target;

use crate::action::{self, Action, Input};
use crate::params::MALFORMED;
use crate::refusal::Refusal;

/// See the module.
pub const ACTION: Action = Action { service: "vpc", name: "DeleteSubnet", decode, encode: action::done };

fn decode(input: &Input<'_>) -> Result<Operation, Refusal> {
    let id = input.members().required_id("SubnetId", Kind::Subnet, MALFORMED)?;
    Ok(Operation::DeleteSubnet(Target { id, parent: None }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing;

    #[test]
    fn ids_are_checked() {
        let cases = [(json!({}), "MissingParameter"), (json!({"SubnetId": "x"}), MALFORMED)];
        for (given, code) in cases {
            assert_eq!(testing::decode("DeleteSubnet", given).expect_err("is refused").code, code);
        }
    }
}
