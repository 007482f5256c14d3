//! DescribeRouteEntryList. The query is for the table, which must exist; its routes are taken from the
//! snapshot.

use causeway_dialect::{EncodeContext, Failure};
use causeway_model::{Kind, Record, Route, RouteTable, View};
use causeway_ops::{Operation, Outcome};
use serde_json::{Value, json};

use crate::action::{Action, Input};
use crate::params::Fields;
use crate::selects::{found, one};
use crate::shapes::route;

pub const ACTION: Action = Action { service: "vpc", name: "DescribeRouteEntryList", decode, encode };

/// Routes of a page.
const PAGE_SIZE: u32 = 100;
const PAGE_SIZE_MAX: u32 = 500;

fn bad(code: &str, message: &str) -> Failure {
    Failure::new(400, code, message)
}

fn page_size(fields: &Fields<'_>) -> Result<u32, Failure> {
    Ok(fields.integer_within("MaxResult", 1, PAGE_SIZE_MAX)?.unwrap_or(PAGE_SIZE))
}

/// A token is the number of routes before its page.
fn offset(fields: &Fields<'_>) -> Result<usize, Failure> {
    let Some(text) = fields.text("NextToken") else { return Ok(0) };
    text.parse().map_err(|_| bad("IllegalParam.NextToken", "User nextToken is illegal."))
}

fn decode(input: &Input<'_>) -> Result<Operation, Failure> {
    let fields = &input.fields;
    page_size(fields)?;
    offset(fields)?;
    if fields.word("RouteEntryType", &["System", "Custom", "BGP", "CEN", "ECR", "Propagated"]).is_err() {
        return Err(bad("IllegalParam.RouteEntryType", "The specified RouteEntryType is invalid."));
    }
    if fields.word("IpVersion", &["ipv4", "ipv6", "IPv4", "IPv6", "Ipv4", "Ipv6"]).is_err() {
        return Err(bad("IllegalParam.IpVersion", "The specified IpVersion is invalid."));
    }
    Ok(one(Kind::RouteTable, fields.required_id("RouteTableId")?))
}

fn is_wanted(route: &Route, fields: &Fields<'_>, view: &View) -> bool {
    let (hop_kind, hop_id) = route::next_hop(route, view);
    let destination = route.destination.to_string();
    let version = if route.destination.addr().is_ipv4() { "ipv4" } else { "ipv6" };
    let is = |name: &str, value: &str| fields.text(name).is_none_or(|wanted| wanted == value);
    let destinations = fields.texts("DestCidrBlockList").unwrap_or_default();
    is("RouteEntryId", route.meta.external.as_str())
        && is("RouteEntryName", &route.meta.name)
        && is("RouteEntryType", route::route_type(route))
        && is("DestinationCidrBlock", &destination)
        && is("NextHopType", hop_kind)
        && is("NextHopId", hop_id)
        && is("ServiceType", "")
        && fields.text("IpVersion").is_none_or(|wanted| wanted.eq_ignore_ascii_case(version))
        && (destinations.is_empty() || destinations.contains(&destination))
}

fn list(table: &RouteTable, context: &EncodeContext<'_>) -> Value {
    let fields = Fields::of(&context.envelope.params);
    let view = context.view;
    let wanted: Vec<&Route> = view
        .children(table.id, Kind::Route)
        .filter_map(|record| match record {
            Record::Route(it) if is_wanted(it, &fields, view) => Some(&**it),
            _ => None,
        })
        .collect();
    let first = offset(&fields).unwrap_or(0);
    let size = page_size(&fields).unwrap_or(PAGE_SIZE) as usize;
    let shown: Vec<Value> =
        wanted.iter().skip(first).take(size).map(|it| route::describe(it, view)).collect();
    let next = first.saturating_add(size);
    let token = if next < wanted.len() { next.to_string() } else { String::new() };
    json!({"NextToken": token, "TotalCount": wanted.len(), "RouteEntrys": {"RouteEntry": shown}})
}

fn encode(outcome: &Outcome, context: &EncodeContext<'_>) -> Value {
    match found(outcome).0.first() {
        Some(Record::RouteTable(it)) => list(it, context),
        _ => json!({}),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn system_and_own_routes_page_by_page() {
        let mut world = World::new();
        let (table, gateway) = world.table_with_gateway();
        let create = [
            ("RouteTableId", table.as_str()),
            ("DestinationCidrBlock", "192.168.0.0/16"),
            ("NextHopType", "VpnGateway"),
            ("NextHopId", gateway.as_str()),
        ];
        world.ok("CreateRouteEntry", &create);
        let mut count = |pairs: &[(&str, &str)]| {
            let mut all = vec![("RouteTableId", table.as_str())];
            all.extend(pairs);
            world.ok("DescribeRouteEntryList", &all)["TotalCount"].as_i64().unwrap()
        };
        assert_eq!(count(&[]), 3);
        assert_eq!(count(&[("RouteEntryType", "System")]), 2);
        assert_eq!(count(&[("RouteEntryType", "Custom")]), 1);
        assert_eq!(count(&[("NextHopType", "VpnGateway"), ("NextHopId", &gateway)]), 1);
        assert_eq!(count(&[("DestinationCidrBlock", "192.168.0.0/16")]), 1);
        assert_eq!(
            count(&[("DestCidrBlockList.1", "10.0.1.0/24"), ("DestCidrBlockList.2", "10.0.2.0/24")]),
            2
        );
        assert_eq!(count(&[("IpVersion", "ipv6")]), 0);
        let first = world.ok("DescribeRouteEntryList", &[("RouteTableId", &table), ("MaxResult", "2")]);
        assert_eq!(first["RouteEntrys"]["RouteEntry"].as_array().unwrap().len(), 2);
        assert_eq!(first["NextToken"], "2");
        let pairs = [("RouteTableId", table.as_str()), ("MaxResult", "2"), ("NextToken", "2")];
        let second = world.ok("DescribeRouteEntryList", &pairs);
        assert_eq!(second["RouteEntrys"]["RouteEntry"].as_array().unwrap().len(), 1);
        assert_eq!(second["NextToken"], "");
        assert_eq!(
            second["RouteEntrys"]["RouteEntry"][0]["NextHops"]["NextHop"][0]["NextHopId"],
            gateway.as_str()
        );
    }

    #[test]
    fn each_rule_has_its_code() {
        let mut world = World::new();
        let (table, _) = world.table_with_gateway();
        let mut code = |pair: (&str, &str)| {
            world.code("DescribeRouteEntryList", &[("RouteTableId", table.as_str()), pair])
        };
        assert_eq!(code(("NextToken", "x")), "IllegalParam.NextToken");
        assert_eq!(code(("RouteEntryType", "Odd")), "IllegalParam.RouteEntryType");
        assert_eq!(code(("IpVersion", "ipv5")), "IllegalParam.IpVersion");
        let unknown = world.call("DescribeRouteEntryList", &[("RouteTableId", "vtb-none")]).unwrap_err();
        assert_eq!((unknown.status, unknown.code.as_str()), (400, "InvalidRouteTable.NotFound"));
    }
}
