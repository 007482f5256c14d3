//! UpdateEnhancedVpnGateway.

use causeway_dialect::EncodeContext;
use causeway_ops::Outcome;
use serde_json::Value;

use crate::action::Action;
use crate::actions::modify_vpn_gateway_attribute::{changed, decode};

pub const ACTION: Action = Action { service: "vpc", name: "UpdateEnhancedVpnGateway", decode, encode };

/// The members of the answer.
const MEMBERS: &[&str] = &[
    "VpnGatewayId",
    "VpcId",
    "VSwitchId",
    "DisasterRecoveryVSwitchId",
    "CreateTime",
    "Name",
    "Description",
    "Status",
    "AutoPropagate",
    "EnableBgp",
    "EniInstanceIds",
    "GatewayType",
    "NetworkType",
    "ResourceGroupId",
    "Tag",
    "Tags",
    "VpnType",
];

fn encode(outcome: &Outcome, context: &EncodeContext<'_>) -> Value {
    changed(outcome, context, MEMBERS)
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn the_answer_is_the_gateway() {
        let mut world = World::new();
        let id = world.dual_gateway();
        let shown = world.ok("UpdateEnhancedVpnGateway", &[("VpnGatewayId", &id), ("Name", "other")]);
        assert_eq!(shown["Name"], "other");
        assert_eq!(shown["GatewayType"], "Enhanced.SiteToSite");
        assert_eq!(shown["EniInstanceIds"]["EniInstanceId"].as_array().unwrap().len(), 2);
    }
}
