//! DeleteVpnConnection.

use causeway_dialect::{EncodeContext, Failure};
use causeway_ops::operation::Target;
use causeway_ops::{Operation, Outcome};
use serde_json::{Value, json};

use crate::action::{Action, Input};

pub const ACTION: Action = Action { service: "vpc", name: "DeleteVpnConnection", decode, encode };

fn decode(input: &Input<'_>) -> Result<Operation, Failure> {
    let id = input.fields.required_id("VpnConnectionId")?;
    Ok(Operation::DeleteConnection(Target { id, parent: None }))
}

fn encode(_: &Outcome, _: &EncodeContext<'_>) -> Value {
    json!({})
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn a_connection_goes_and_takes_its_routes_with_it() {
        let mut world = World::new();
        let id = world.connection();
        world.ok("DeleteVpnConnection", &[("VpnConnectionId", &id)]);
        assert_eq!(world.ok("DescribeVpnConnection", &[("VpnConnectionId", &id)])["State"], "deleting");
        assert_eq!(world.code("DeleteVpnConnection", &[("VpnConnectionId", &id)]), "VpnTask.CONFLICT");
        world.observe();
        let word = "InvalidVpnConnectionInstanceId.NotFound";
        assert_eq!(world.code("DescribeVpnConnection", &[("VpnConnectionId", &id)]), word);
    }
}
