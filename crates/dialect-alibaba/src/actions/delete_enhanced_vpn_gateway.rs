//! DeleteEnhancedVpnGateway.

use crate::action::Action;
use crate::actions::delete_vpn_gateway::{decode, encode};

pub const ACTION: Action = Action { service: "vpc", name: "DeleteEnhancedVpnGateway", decode, encode };

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn an_enhanced_gateway_goes() {
        let mut world = World::new();
        let id = world.dual_gateway();
        world.ok("DeleteEnhancedVpnGateway", &[("VpnGatewayId", &id)]);
        assert_eq!(world.code("DeleteEnhancedVpnGateway", &[("VpnGatewayId", &id)]), "TaskConflict");
        world.observe();
        let failure = world.call("DeleteEnhancedVpnGateway", &[("VpnGatewayId", &id)]).unwrap_err();
        assert_eq!((failure.status, failure.code.as_str()), (400, "InvalidVpnGatewayInstanceId.NotFound"));
    }
}
