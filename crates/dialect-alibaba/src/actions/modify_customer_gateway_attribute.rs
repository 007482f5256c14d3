//! ModifyCustomerGatewayAttribute.

use causeway_dialect::{EncodeContext, Failure};
use causeway_ops::operation::ModifyCustomerGateway;
use causeway_ops::{Operation, Outcome};
use serde_json::Value;

use crate::action::{Action, Input};
use crate::actions::create_customer_gateway::{key, made};
use crate::labels;
use crate::shapes::pick;

pub const ACTION: Action = Action { service: "vpc", name: "ModifyCustomerGatewayAttribute", decode, encode };

/// The members of the answer.
const MEMBERS: &[&str] =
    &["CustomerGatewayId", "IpAddress", "Name", "Description", "CreateTime", "ResourceGroupId"];

fn decode(input: &Input<'_>) -> Result<Operation, Failure> {
    let fields = &input.fields;
    let name = Failure::new(400, "InvalidName", labels::NAME_MESSAGE);
    Ok(Operation::ModifyCustomerGateway(ModifyCustomerGateway {
        id: fields.required_id("CustomerGatewayId")?,
        name: labels::plain_name(fields, name)?,
        description: labels::changed_description(fields)?,
        asn: None,
        bgp_key: key(fields)?,
        facet: None,
    }))
}

fn encode(outcome: &Outcome, context: &EncodeContext<'_>) -> Value {
    pick(&made(outcome, context), MEMBERS)
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn what_is_left_out_stays() {
        let mut world = World::new();
        let pairs = [("IpAddress", "101.12.0.1"), ("Name", "a"), ("Description", "d")];
        let id = world.made("CreateCustomerGateway", &pairs, "CustomerGatewayId");
        let shown = world.ok("ModifyCustomerGatewayAttribute", &[("CustomerGatewayId", &id), ("Name", "b")]);
        assert_eq!((shown["Name"].as_str(), shown["Description"].as_str()), (Some("b"), Some("d")));
        let emptied = [("CustomerGatewayId", id.as_str()), ("Description", "")];
        let shown = world.ok("ModifyCustomerGatewayAttribute", &emptied);
        assert_eq!((shown["Name"].as_str(), shown["Description"].as_str()), (Some("b"), Some("")));
        let with_key = [("CustomerGatewayId", id.as_str()), ("AuthKey", "k")];
        assert_eq!(world.code("ModifyCustomerGatewayAttribute", &with_key), "OperationDenied.MissingAsn");
        let unknown = [("CustomerGatewayId", "cgw-1"), ("Name", "b")];
        let word = "InvalidCustomerGatewayInstanceId.NotFound";
        assert_eq!(world.code("ModifyCustomerGatewayAttribute", &unknown), word);
    }
}
