//! `RouteTable` and `Route`.

use causeway_dialect::time;
use causeway_model::{Kind, NextHop, Record, Route, RouteTable, View};
use serde_json::{Value, json};

use crate::ids::route_number;
use crate::shapes::tag_set;

/// The name shown for the table that a VPC is made with.
const MAIN_NAME: &str = "default";

/// The name of a table.
pub fn name(it: &RouteTable) -> &str {
    if it.meta.name.is_empty() && it.is_main { MAIN_NAME } else { &it.meta.name }
}

/// A route table. Without `routes`, its routes are left out.
pub fn route_table(view: &View, it: &RouteTable, routes: bool) -> Value {
    let table = it.meta.external.as_str();
    let associations: Vec<Value> = view
        .children(it.id, Kind::Subnet)
        .filter_map(Record::meta)
        .filter(|meta| !meta.deleting)
        .map(|meta| json!({"SubnetId": meta.external.as_str(), "RouteTableId": table}))
        .collect();
    let route_set: Vec<Value> = match routes {
        true => view.children(it.id, Kind::Route).filter_map(|record| route_of(view, record)).collect(),
        false => Vec::new(),
    };
    json!({
        "VpcId": view.external(it.network),
        "RouteTableId": table,
        "RouteTableName": name(it),
        "AssociationSet": associations,
        "RouteSet": route_set,
        "Main": it.is_main,
        "CreatedTime": time::china_standard(it.meta.created),
        "TagSet": tag_set(&it.meta),
        "LocalCidrForCcn": [],
    })
}

fn route_of(view: &View, record: &Record) -> Option<Value> {
    match record {
        Record::Route(it) => Some(route(view, it)),
        _ => None,
    }
}

/// The type and id of a route's next hop.
pub fn next_hop(view: &View, it: &Route) -> (String, String) {
    match &it.next_hop {
        NextHop::Local => ("LOCAL".to_owned(), "Local".to_owned()),
        NextHop::Gateway(gateway) => ("VPN".to_owned(), view.external(*gateway).to_owned()),
        NextHop::Other { kind, id } => (kind.clone(), id.clone()),
    }
}

/// A route.
pub fn route(view: &View, it: &Route) -> Value {
    let id = it.meta.external.as_str();
    let (gateway_type, gateway_id) = next_hop(view, it);
    json!({
        "DestinationCidrBlock": it.destination.to_string(),
        "GatewayType": gateway_type,
        "GatewayId": gateway_id,
        "RouteId": route_number(id),
        "RouteDescription": it.meta.description,
        "Enabled": it.enabled,
        "RouteType": if it.system { "NETD" } else { "USER" },
        "RouteTableId": view.external(it.table),
        "DestinationIpv6CidrBlock": "",
        "RouteItemId": id,
        "PublishedToVbc": false,
        "CreatedTime": time::china_standard(it.meta.created),
        "CdcId": "",
    })
}
