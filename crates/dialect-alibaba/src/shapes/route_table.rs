//! Route tables.

use causeway_dialect::time::iso_utc;
use causeway_model::{Kind, Record, RouteTable, View};
use serde_json::{Value, json};

use crate::shapes::network::owner_number;
use crate::{ids, tags};

/// The word for the type of a table.
pub fn table_type(table: &RouteTable) -> &'static str {
    if table.is_main { "System" } else { "Custom" }
}

/// A route table.
pub fn describe(table: &RouteTable, view: &View) -> Value {
    let meta = &table.meta;
    let network = view.external(table.network);
    let switches: Vec<String> = view
        .children(table.id, Kind::Subnet)
        .filter_map(Record::meta)
        .map(|meta| meta.external.to_string())
        .collect();
    json!({
        "RouteTableId": meta.external,
        "RouteTableName": meta.name,
        "Description": meta.description,
        "RouteTableType": table_type(table),
        "RouterType": "VRouter",
        "RouterId": ids::router(network),
        "VpcId": network,
        "VSwitchIds": {"VSwitchId": switches},
        "GatewayIds": {"GatewayIds": []},
        "AssociateType": "VSwitch",
        "RoutePropagationEnable": true,
        "Status": "Available",
        "CreationTime": iso_utc(meta.created),
        "OwnerId": owner_number(&meta.owner),
        "ResourceGroupId": meta.resource_group,
        "Tags": tags::shown(meta),
    })
}
