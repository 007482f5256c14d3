//! ModifyVpnGatewayAttribute.

use causeway_dialect::{EncodeContext, Failure};
use causeway_ops::operation::ModifyGateway;
use causeway_ops::{Operation, Outcome};
use serde_json::{Value, json};

use crate::action::{Action, Input};
use crate::shapes::{gateway, pick};
use crate::{labels, selects};

pub const ACTION: Action = Action { service: "vpc", name: "ModifyVpnGatewayAttribute", decode, encode };

/// The members of the answer.
const MEMBERS: &[&str] = &[
    "VpnGatewayId",
    "VpcId",
    "VSwitchId",
    "DisasterRecoveryVSwitchId",
    "InternetIp",
    "DisasterRecoveryInternetIp",
    "SslVpnInternetIp",
    "CreateTime",
    "EndTime",
    "Spec",
    "Name",
    "Description",
    "Status",
    "BusinessStatus",
    "EnableBgp",
    "AutoPropagate",
    "ResourceGroupId",
];

/// The change that the parameters ask for.
///
/// # Errors
/// `InvalidName`, `InvalidDescription`.
pub fn decode(input: &Input<'_>) -> Result<Operation, Failure> {
    let fields = &input.fields;
    Ok(Operation::ModifyGateway(ModifyGateway {
        id: fields.required_id("VpnGatewayId")?,
        name: labels::gateway_name(fields, labels::NAME_MESSAGE)?,
        description: labels::changed_description(fields)?,
        propagate: fields.boolean("AutoPropagate")?,
        ssl_clients: None,
        bandwidth: None,
        at_end: None,
        asn: None,
        facet: None,
    }))
}

/// Some members of the gateway that was changed.
pub fn changed(outcome: &Outcome, context: &EncodeContext<'_>, members: &[&str]) -> Value {
    match selects::gateway(outcome, context.view) {
        Some(it) => pick(&gateway::tree(it, context), members),
        None => json!({}),
    }
}

fn encode(outcome: &Outcome, context: &EncodeContext<'_>) -> Value {
    let mut shown = changed(outcome, context, MEMBERS);
    if let Some(members) = shown.as_object_mut() {
        let address = members.get("InternetIp").cloned().unwrap_or_default();
        members.insert("IntranetIp".to_owned(), address);
    }
    shown
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn name_and_description_change_at_once_and_propagation_takes_a_while() {
        let mut world = World::new();
        let id = world.gateway();
        let pairs = [("VpnGatewayId", id.as_str()), ("Name", "other"), ("Description", "d")];
        let shown = world.ok("ModifyVpnGatewayAttribute", &pairs);
        assert_eq!((shown["Name"].as_str(), shown["Description"].as_str()), (Some("other"), Some("d")));
        assert_eq!(shown["Status"], "active");
        let pairs = [("VpnGatewayId", id.as_str()), ("Description", "")];
        assert_eq!(world.ok("ModifyVpnGatewayAttribute", &pairs)["Description"], "");
        let pairs = [("VpnGatewayId", id.as_str()), ("AutoPropagate", "true")];
        assert_eq!(world.ok("ModifyVpnGatewayAttribute", &pairs)["Status"], "updating");
        assert_eq!(world.code("ModifyVpnGatewayAttribute", &pairs), "VpnGateway.Configuring");
        world.observe();
        assert_eq!(world.ok("DescribeVpnGateway", &[("VpnGatewayId", &id)])["AutoPropagate"], true);
    }

    #[test]
    fn each_rule_has_its_code() {
        let mut world = World::new();
        let id = world.gateway();
        let mut code = |pair: (&str, &str)| {
            world.code("ModifyVpnGatewayAttribute", &[("VpnGatewayId", id.as_str()), pair])
        };
        assert_eq!(code(("Name", "a")), "InvalidName");
        assert_eq!(code(("Description", "http://a")), "InvalidDescription");
        assert_eq!(code(("AutoPropagate", "1")), "InvalidAutoPropagate");
    }
}
