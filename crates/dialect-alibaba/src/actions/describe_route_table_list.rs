//! DescribeRouteTableList.

use causeway_dialect::{EncodeContext, Failure};
use causeway_model::{Kind, Record};
use causeway_ops::{Operation, Outcome};
use serde_json::Value;

use crate::action::{Action, Input};
use crate::ids;
use crate::selects::List;
use crate::shapes::{page, route_table};
use crate::tags::{self, Codes};

pub const ACTION: Action = Action { service: "vpc", name: "DescribeRouteTableList", decode, encode };

fn decode(input: &Input<'_>) -> Result<Operation, Failure> {
    let fields = &input.fields;
    let router = fields.text("RouterId").map(|router| ids::network_of_router(&router));
    List::of(Kind::RouteTable)
        .ids(fields, "RouteTableId")
        .children_of(Kind::Network, fields.id("VpcId"))
        .children_of(Kind::Network, router)
        .named(fields, "RouteTableName")
        .in_group(fields)
        // Border routers (VBR) have tables too; there are none.
        .matching(fields.text("RouterType"), |_, wanted: &String| wanted == "VRouter")
        .matching(fields.text("RouteTableType"), |record, wanted: &String| {
            matches!(record, Record::RouteTable(it) if route_table::table_type(it) == wanted)
        })
        .with(tags::filter(fields, Codes::Vpc)?)
        .page(fields)
}

fn encode(outcome: &Outcome, context: &EncodeContext<'_>) -> Value {
    let names = ("RouterTableList", "RouterTableListType");
    page::page(outcome, context, names, |record| match record {
        Record::RouteTable(it) => Some(route_table::describe(it, context.view)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn a_network_has_its_system_table() {
        let mut world = World::new();
        let [vpc, first, second] = world.network();
        let router =
            world.ok("DescribeVpcAttribute", &[("VpcId", &vpc)])["VRouterId"].as_str().unwrap().to_owned();
        for pair in [("VpcId", vpc.as_str()), ("RouterId", router.as_str()), ("RouteTableType", "System")] {
            let shown = world.ok("DescribeRouteTableList", &[pair]);
            let table = &shown["RouterTableList"]["RouterTableListType"][0];
            assert_eq!(table["VpcId"], vpc.as_str(), "{pair:?}");
            assert_eq!(table["RouterId"], router.as_str());
            assert_eq!(table["VSwitchIds"]["VSwitchId"], serde_json::json!([first, second]));
        }
        let none = world.ok("DescribeRouteTableList", &[("RouteTableType", "Custom")]);
        assert_eq!(none["TotalCount"], 0);
    }
}
