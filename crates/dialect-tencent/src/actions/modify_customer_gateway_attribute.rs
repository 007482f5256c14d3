//! ModifyCustomerGatewayAttribute: name and BGP number; the address can't be changed.

use causeway_model::Kind;
use causeway_ops::Operation;
use causeway_ops::operation::ModifyCustomerGateway;

use crate::action::{self, Action, Input};
use crate::asn;
use crate::params::MALFORMED;
use crate::refusal::Refusal;

/// See the module.
pub const ACTION: Action =
    Action { service: "vpc", name: "ModifyCustomerGatewayAttribute", decode, encode: action::done };

const NAME_CHARS_MAX: usize = 60;

fn decode(input: &Input<'_>) -> Result<Operation, Refusal> {
    let members = input.members();
    let it = ModifyCustomerGateway {
        id: members.required_id("CustomerGatewayId", Kind::CustomerGateway, MALFORMED)?,
        name: Some(members.name_chars("CustomerGatewayName", NAME_CHARS_MAX)?),
        description: None,
        asn: asn::read(&members)?,
        bgp_key: None,
        facet: None,
    };
    Ok(Operation::ModifyCustomerGateway(it))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing;

    #[test]
    fn id_and_name_are_required() {
        let cases = [
            (json!({"CustomerGatewayName": "n"}), "MissingParameter"),
            (json!({"CustomerGatewayId": "cgw-1"}), "MissingParameter"),
            (
                json!({"CustomerGatewayId": "gw-1", "CustomerGatewayName": "n"}),
                "InvalidParameterValue.Malformed",
            ),
        ];
        for (given, code) in cases {
            let refusal = testing::decode("ModifyCustomerGatewayAttribute", given).expect_err("is refused");
            assert_eq!(refusal.code, code);
        }
    }
}
