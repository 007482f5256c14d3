//! DescribeVpnGateways. An unknown id gives an empty page, no error.

use causeway_dialect::json::Members;
use causeway_dialect::{EncodeContext, Failure};
use causeway_model::{Kind, Record};
use causeway_ops::{Operation, Outcome};
use serde_json::Value;

use crate::action::{Action, Input};
use crate::facet::{ENHANCED, TRADITIONAL};
use crate::selects::List;
use crate::shapes::{gateway, page};
use crate::tags::{self, Codes};

pub const ACTION: Action = Action { service: "vpc", name: "DescribeVpnGateways", decode, encode };

const STATUSES: &[&str] = &["init", "provisioning", "active", "updating", "deleting"];

fn decode(input: &Input<'_>) -> Result<Operation, Failure> {
    let fields = &input.fields;
    let (account, now) = (input.account.cloned(), input.now);
    List::of(Kind::Gateway)
        .ids(fields, "VpnGatewayId")
        .children_of(Kind::Network, fields.id("VpcId"))
        .in_group(fields)
        .matching(
            fields.word("Status", STATUSES)?,
            |record, wanted| matches!(record, Record::Gateway(it) if gateway::status(it.state()) == *wanted),
        )
        .matching(
            fields.word("BusinessStatus", &[gateway::NORMAL, gateway::LOCKED])?,
            move |record, wanted| {
                let Record::Gateway(it) = record else { return false };
                let is_locked = account.as_ref().is_some_and(|account| account.locks(it, now));
                gateway::business_status(is_locked) == *wanted
            },
        )
        .matching(
            fields.word("GatewayType", &[TRADITIONAL, ENHANCED])?,
            |record, wanted| matches!(record, Record::Gateway(it) if gateway::facet(it).edition == *wanted),
        )
        .with(tags::filter(fields, Codes::Vpn)?)
        .page(fields)
}

const LIST: (&str, &str) = ("VpnGateways", "VpnGateway");

fn encode(outcome: &Outcome, context: &EncodeContext<'_>) -> Value {
    page::page(outcome, context, LIST, |record| match record {
        Record::Gateway(it) => Some(gateway::tree(it, context)),
        _ => None,
    })
}

/// The answer, written at once.
pub fn write(outcome: &Outcome, context: &EncodeContext<'_>) -> Members {
    page::written(outcome, context, LIST, |record| match record {
        Record::Gateway(it) => {
            Some(gateway::describe(it, context.view, &context.caller.settings, context.now))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn filters() {
        let mut world = World::new();
        let plain = world.gateway();
        let enhanced = world.dual_gateway();
        let vpc =
            world.ok("DescribeVpnGateway", &[("VpnGatewayId", &plain)])["VpcId"].as_str().unwrap().to_owned();
        world.ok("DeleteVpnGateway", &[("VpnGatewayId", &plain)]);
        let tag = [
            ("ResourceType", "VpnGateWay"),
            ("ResourceId.1", enhanced.as_str()),
            ("Tag.1.Key", "k"),
            ("Tag.1.Value", "v"),
        ];
        world.ok("TagResources", &tag);
        let cases = [
            (vec![], 2),
            (vec![("VpcId", vpc.as_str())], 1),
            (vec![("Status", "active")], 1),
            (vec![("Status", "deleting")], 1),
            (vec![("GatewayType", "Enhanced.SiteToSite")], 1),
            (vec![("GatewayType", "Traditional")], 1),
            (vec![("BusinessStatus", "FinancialLocked")], 0),
            (vec![("BusinessStatus", "Normal")], 2),
            (vec![("VpnGatewayId", "vpn-none")], 0),
            (vec![("Tag.1.Key", "k"), ("Tag.1.Value", "v")], 1),
            (vec![("Tag.1.Key", "k"), ("Tag.1.Value", "w")], 0),
        ];
        for (pairs, wanted) in cases {
            assert_eq!(world.ok("DescribeVpnGateways", &pairs)["TotalCount"], wanted, "{pairs:?}");
        }
        assert_eq!(world.code("DescribeVpnGateways", &[("Status", "odd")]), "InvalidStatus");
        let empty = world.ok("DescribeVpnGateways", &[("VpnGatewayId", "vpn-none")]);
        assert_eq!(empty["VpnGateways"], serde_json::json!({"VpnGateway": []}));
    }
}
