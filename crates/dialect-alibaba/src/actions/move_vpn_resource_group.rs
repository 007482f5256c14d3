//! MoveVpnResourceGroup.

use causeway_dialect::{EncodeContext, Failure};
use causeway_model::Kind;
use causeway_ops::operation::MoveResourceGroup;
use causeway_ops::{Operation, Outcome};
use serde_json::{Value, json};

use crate::action::{Action, Input};

pub const ACTION: Action = Action { service: "vpc", name: "MoveVpnResourceGroup", decode, encode };

fn decode(input: &Input<'_>) -> Result<Operation, Failure> {
    let fields = &input.fields;
    let kind = match fields.required("ResourceType")?.to_ascii_lowercase().as_str() {
        "vpngateway" => Kind::Gateway,
        "customergateway" => Kind::CustomerGateway,
        // Connections of gateways follow their gateways; attachments, which can be moved, there are none.
        "vpnattachment" => {
            let message = "The specified ResourceId does not exist.";
            return Err(Failure::new(400, "InvalidResourceId.NotFound", message));
        }
        _ => return Err(Failure::new(400, "IllegalParam.ResourceType", "Invalid Resource Type value.")),
    };
    Ok(Operation::MoveResourceGroup(MoveResourceGroup {
        kind,
        id: fields.required_id("InstanceId")?,
        group: fields.required("NewResourceGroupId")?,
    }))
}

fn encode(_: &Outcome, _: &EncodeContext<'_>) -> Value {
    json!({})
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn connections_follow_their_gateway() {
        let mut world = World::new();
        let id = world.connection();
        let shown = world.ok("DescribeVpnConnection", &[("VpnConnectionId", &id)]);
        let gateway = shown["VpnGatewayId"].as_str().unwrap();
        let mut code = |kind: &str, id: &str, group: &str| {
            let pairs = [("ResourceType", kind), ("InstanceId", id), ("NewResourceGroupId", group)];
            world
                .call("MoveVpnResourceGroup", &pairs)
                .map_or_else(|failure| failure.code, |_| "moved".to_owned())
        };
        assert_eq!(code("VpnGateWay", gateway, "rg-9"), "InvalidResourceGroupId");
        assert_eq!(code("VpnGateWay", "vpn-none", "rg-2"), "InvalidResourceId.NotFound");
        assert_eq!(code("VPC", gateway, "rg-2"), "IllegalParam.ResourceType");
        assert_eq!(code("VpnGateWay", gateway, "rg-2"), "moved");
        let shown = world.ok("DescribeVpnConnection", &[("VpnConnectionId", &id)]);
        assert_eq!(shown["ResourceGroupId"], "rg-2");
    }
}
