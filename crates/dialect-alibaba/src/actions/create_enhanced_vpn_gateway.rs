//! CreateEnhancedVpnGateway.

use causeway_dialect::{EncodeContext, Failure};
use causeway_model::{Charge, Exposure, Features};
use causeway_ops::operation::CreateGateway;
use causeway_ops::{Operation, Outcome};
use serde_json::{Value, json};

use crate::action::{Action, Input};
use crate::actions::create_vpn_gateway::NAME_MESSAGE;
use crate::facet::{self, ENHANCED, GatewayFacet};
use crate::params::missing;
use crate::tags::Codes;
use crate::{labels, selects};

pub const ACTION: Action = Action { service: "vpc", name: "CreateEnhancedVpnGateway", decode, encode };

/// The bandwidth of an enhanced gateway in Mbit/s: it is not sold by size.
const BANDWIDTH_MBPS: u32 = 1000;

fn decode(input: &Input<'_>) -> Result<Operation, Failure> {
    let fields = &input.fields;
    let name = labels::gateway_name(fields, NAME_MESSAGE)?.unwrap_or_default();
    fields.word("GatewayType", &[ENHANCED])?;
    let vpn_type = fields.word("VpnType", &["Normal"])?.unwrap_or("Normal");
    fields.word("NetworkType", &["public"])?;
    let facet = GatewayFacet { edition: ENHANCED.to_owned(), vpn_type: vpn_type.to_owned() };
    // Not marked as required, but there is no such gateway with one vSwitch.
    let first = fields.id("VSwitchId").ok_or_else(|| missing("VSwitchId"))?;
    let second = fields.required_id("DisasterRecoveryVSwitchId")?;
    Ok(Operation::CreateGateway(CreateGateway {
        label: labels::label(fields, name, String::new(), Codes::Vpn, facet::write(&facet))?,
        network: Some(fields.required_id("VpcId")?),
        subnets: vec![first, second],
        dual: true,
        bandwidth_mbps: BANDWIDTH_MBPS,
        features: Features { ipsec: true, ssl_clients: None, transit: false },
        charge: Charge::PostPaid,
        pay_now: true,
        exposure: Exposure::Public,
        asn: None,
        zone: None,
    }))
}

fn encode(outcome: &Outcome, context: &EncodeContext<'_>) -> Value {
    let Some(gateway) = selects::gateway(outcome, context.view) else { return json!({}) };
    json!({"VpnGatewayId": gateway.meta.external, "Name": gateway.meta.name})
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    fn code(world: &mut World, pairs: &[(&str, &str)]) -> String {
        let mut all = pairs.to_vec();
        all.push(("GatewayType", "Enhanced.SiteToSite"));
        world.code("CreateEnhancedVpnGateway", &all)
    }

    #[test]
    fn the_documents_answer() {
        let mut world = World::new();
        let [vpc, first, second] = world.network();
        let pairs = [
            ("VpcId", vpc.as_str()),
            ("VSwitchId", first.as_str()),
            ("DisasterRecoveryVSwitchId", second.as_str()),
            ("GatewayType", "Enhanced.SiteToSite"),
            ("Name", "MYVPN"),
            ("ResourceGroupId", "rg-2"),
        ];
        let made = world.ok("CreateEnhancedVpnGateway", &pairs);
        assert_eq!(made["Name"], "MYVPN");
        assert!(made.get("OrderId").is_none());
        let id = made["VpnGatewayId"].as_str().unwrap();
        let shown = world.ok("DescribeVpnGateway", &[("VpnGatewayId", id)]);
        assert_eq!(shown["GatewayType"], "Enhanced.SiteToSite");
        assert_eq!(shown["ResourceGroupId"], "rg-2");
        assert_eq!(shown["Status"], "provisioning");
    }

    #[test]
    fn each_rule_has_its_code() {
        let mut world = World::new();
        let [vpc, first, second] = world.network();
        let vpc_id = ("VpcId", vpc.as_str());
        let one = ("VSwitchId", first.as_str());
        let two = ("DisasterRecoveryVSwitchId", second.as_str());
        assert_eq!(code(&mut world, &[vpc_id, one]), "MissingDisasterRecoveryVSwitchId");
        assert_eq!(code(&mut world, &[vpc_id, two]), "MissingParameter");
        assert_eq!(code(&mut world, &[one, two]), "MissingVpcId");
        assert_eq!(code(&mut world, &[vpc_id, one, two, ("NetworkType", "private")]), "InvalidNetworkType");
        assert_eq!(code(&mut world, &[vpc_id, one, two, ("VpnType", "NationalStandard")]), "InvalidVpnType");
        assert_eq!(code(&mut world, &[vpc_id, one, two, ("Name", "-a")]), "InvalidName");
        let same = ("DisasterRecoveryVSwitchId", first.as_str());
        let word = "InvalidVSwitchId.VswitchIdShouldDifferent";
        assert_eq!(code(&mut world, &[vpc_id, one, same]), word);
        let third = world.made(
            "CreateVSwitch",
            &[vpc_id, ("ZoneId", "cn-hangzhou-h"), ("CidrBlock", "10.0.3.0/24")],
            "VSwitchId",
        );
        let same_zone = ("DisasterRecoveryVSwitchId", third.as_str());
        assert_eq!(code(&mut world, &[vpc_id, one, same_zone]), "InvalidVSwitchId.ZoneIdShouldDifferent");
        let wrong_type = [vpc_id, one, two, ("GatewayType", "Enhanced.Other")];
        assert_eq!(world.code("CreateEnhancedVpnGateway", &wrong_type), "InvalidGatewayType");
        assert_eq!(world.code("CreateEnhancedVpnGateway", &[vpc_id, one, two]), "MissingGatewayType");
    }
}
