//! DeleteVpnGateway.

use causeway_dialect::{EncodeContext, Failure};
use causeway_ops::operation::Target;
use causeway_ops::{Operation, Outcome};
use serde_json::{Value, json};

use crate::action::{Action, Input};

pub const ACTION: Action = Action { service: "vpc", name: "DeleteVpnGateway", decode, encode };

/// The deletion of the gateway that the parameters name.
///
/// # Errors
/// `MissingParameter`.
pub fn decode(input: &Input<'_>) -> Result<Operation, Failure> {
    let id = input.fields.required_id("VpnGatewayId")?;
    Ok(Operation::DeleteGateway(Target { id, parent: None }))
}

/// An answer without members.
pub fn encode(_: &Outcome, _: &EncodeContext<'_>) -> Value {
    json!({})
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn a_gateway_goes_when_it_is_active_and_has_no_connection() {
        let mut world = World::new();
        let [vpc, _, _] = world.network();
        let pairs = [("VpcId", vpc.as_str()), ("Bandwidth", "10")];
        let id = world.made("CreateVpnGateway", &pairs, "VpnGatewayId");
        let target = [("VpnGatewayId", id.as_str())];
        assert_eq!(world.code("DeleteVpnGateway", &target), "VpnGateway.Configuring");
        world.observe();
        world.ok("DeleteVpnGateway", &target);
        assert_eq!(world.ok("DescribeVpnGateway", &target)["Status"], "deleting");
        world.observe();
        let failure = world.call("DeleteVpnGateway", &target).unwrap_err();
        assert_eq!((failure.status, failure.code.as_str()), (404, "InvalidVpnGatewayInstanceId.NotFound"));
    }

    #[test]
    fn a_prepaid_gateway_stays() {
        let mut world = World::new();
        let [vpc, _, _] = world.network();
        let pairs = [
            ("VpcId", vpc.as_str()),
            ("Bandwidth", "10"),
            ("InstanceChargeType", "PREPAY"),
            ("Period", "1"),
            ("AutoPay", "true"),
        ];
        let id = world.made("CreateVpnGateway", &pairs, "VpnGatewayId");
        world.observe();
        let failure = world.call("DeleteVpnGateway", &[("VpnGatewayId", &id)]).unwrap_err();
        assert_eq!((failure.status, failure.code.as_str()), (403, "ForbiddenRelease"));
    }
}
