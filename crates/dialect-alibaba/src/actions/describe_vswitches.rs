//! DescribeVSwitches.

use causeway_dialect::{EncodeContext, Failure};
use causeway_model::{Kind, Record};
use causeway_ops::{Operation, Outcome};
use serde_json::Value;

use crate::action::{Action, Input};
use crate::selects::List;
use crate::shapes::{page, subnet};
use crate::tags::{self, Codes};

pub const ACTION: Action = Action { service: "vpc", name: "DescribeVSwitches", decode, encode };

fn decode(input: &Input<'_>) -> Result<Operation, Failure> {
    let fields = &input.fields;
    List::of(Kind::Subnet)
        .ids(fields, "VSwitchId")
        .children_of(Kind::Network, fields.id("VpcId"))
        .children_of(Kind::RouteTable, fields.id("RouteTableId"))
        .named(fields, "VSwitchName")
        .owned_by(fields, "VSwitchOwnerId")?
        .in_group(fields)
        .matching(
            fields.text("ZoneId"),
            |record, zone: &String| matches!(record, Record::Subnet(it) if it.zone.as_str() == zone),
        )
        // There are no default vSwitches, and there is no IPv6.
        .matching(fields.boolean("IsDefault")?, |_, wanted| !*wanted)
        .matching(fields.boolean("EnableIpv6")?, |_, wanted| !*wanted)
        .with(tags::filter(fields, Codes::Vpc)?)
        .page(fields)
}

fn encode(outcome: &Outcome, context: &EncodeContext<'_>) -> Value {
    page::page(outcome, context, ("VSwitches", "VSwitch"), |record| subnet::of_record(record, context.view))
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn filters() {
        let mut world = World::new();
        let [vpc, first, second] = world.network();
        let cases = [
            (vec![("VpcId", vpc.as_str())], 2),
            (vec![("VpcId", "vpc-none")], 0),
            (vec![("VSwitchId", first.as_str())], 1),
            (vec![("ZoneId", "cn-hangzhou-i")], 1),
            (vec![("ZoneId", "cn-hangzhou-i"), ("VSwitchId", first.as_str())], 0),
            (vec![], 2),
        ];
        for (pairs, wanted) in cases {
            assert_eq!(world.ok("DescribeVSwitches", &pairs)["TotalCount"], wanted, "{pairs:?}");
        }
        let shown = world.ok("DescribeVSwitches", &[("ZoneId", "cn-hangzhou-i")]);
        assert_eq!(shown["VSwitches"]["VSwitch"][0]["VSwitchId"], second.as_str());
        assert_eq!(shown["VSwitches"]["VSwitch"][0]["VpcId"], vpc.as_str());
    }
}
