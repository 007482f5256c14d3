//! DescribeRouteTables, with the routes inside.

use causeway_dialect::EncodeContext;
use causeway_model::{Kind, NextHop, Record};
use causeway_ops::{Clause, Operation, Outcome};
use serde_json::Value;

use crate::action::{Action, Answer, Input};
use crate::listing::{self, Filter, Listing};
use crate::refusal::Refusal;
use crate::shapes::route_table::{name, route_table};

/// See the module.
pub const ACTION: Action = Action { service: "vpc", name: "DescribeRouteTables", decode, encode };

const LISTING: Listing = Listing {
    kind: Kind::RouteTable,
    ids: "RouteTableIds",
    malformed: "InvalidParameterValue.Malformed",
    filters: &[
        Filter { name: "route-table-id", clause: listing::by_id },
        Filter { name: "route-table-name", clause: by_name },
        Filter { name: "vpc-id", clause: listing::by_network },
        Filter { name: "association.main", clause: by_main },
        Filter { name: "tag-key", clause: listing::by_tag_key },
        Filter { name: "tag:", clause: listing::by_tag },
        Filter { name: "visible", clause: by_visible },
        Filter { name: "next-hop-type", clause: by_next_hop },
    ],
    is_limited: false,
    hides_deleting: true,
    set: "RouteTableSet",
    shape,
};

fn decode(input: &Input<'_>) -> Result<Operation, Refusal> {
    let members = input.members();
    let names: Vec<String> =
        members.structures("Filters").iter().filter_map(|filter| filter.text("Name")).collect();
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    if has("next-hop-type") && !(has("route-table-id") && has("vpc-id")) {
        return Err(Refusal::new(
            "InvalidParameter.FilterMissParameter",
            "The filter `next-hop-type` needs the filters `route-table-id` and `vpc-id`.",
            "过滤条件`next-hop-type`需要同时指定`route-table-id`和`vpc-id`。",
        ));
    }
    LISTING.decode(input)
}

fn by_name(_: &str, values: Vec<String>) -> Clause {
    listing::by_text(values, |record| match record {
        Record::RouteTable(it) => name(it).to_owned(),
        _ => String::new(),
    })
}

fn by_main(_: &str, values: Vec<String>) -> Clause {
    listing::by_text(values, |record| match record {
        Record::RouteTable(it) => it.is_main.to_string(),
        _ => String::new(),
    })
}

/// Every table is visible.
fn by_visible(_: &str, values: Vec<String>) -> Clause {
    listing::by_text(values, |_| "true".to_owned())
}

/// It has a route with a next hop of one of these types.
fn by_next_hop(_: &str, values: Vec<String>) -> Clause {
    Clause::test(move |view, record| {
        view.children(record.key(), Kind::Route).any(|record| {
            let Record::Route(route) = record else { return false };
            let word = match &route.next_hop {
                NextHop::Local => "LOCAL",
                NextHop::Gateway(_) => "VPN",
                NextHop::Other { kind, .. } => kind.as_str(),
            };
            values.iter().any(|value| value == word)
        })
    })
}

fn shape(context: &EncodeContext<'_>, record: &Record) -> Option<Value> {
    let wants_routes = context.envelope.params.get("NeedRouterInfo").and_then(Value::as_bool).unwrap_or(true);
    match record {
        Record::RouteTable(it) => Some(route_table(context.view, it, wants_routes)),
        _ => None,
    }
}

fn encode(outcome: &Outcome, context: &EncodeContext<'_>) -> Result<Answer, Refusal> {
    Ok(LISTING.answer(outcome, context))
}

#[cfg(test)]
mod tests {
    use causeway_model::View;
    use serde_json::json;

    use crate::testing;

    #[test]
    fn the_main_table_is_there_at_once() {
        let mut view = View::default();
        let vpc = json!({"VpcName": "v", "CidrBlock": "10.0.0.0/16"});
        let vpc = testing::call(&mut view, "vpc", "CreateVpc", vpc).unwrap();
        let filters = json!({"Offset": "0", "Limit": "100", "Filters": [
            {"Name": "vpc-id", "Values": [vpc["Vpc"]["VpcId"]]},
            {"Name": "association.main", "Values": ["true"]},
        ]});
        let found = testing::call(&mut view, "vpc", "DescribeRouteTables", filters).unwrap();
        assert_eq!(found["TotalCount"], 1);
        assert_eq!(found["RouteTableSet"][0]["Main"], true);
        assert_eq!(found["RouteTableSet"][0]["RouteSet"], json!([]));
    }
}
