//! DeleteRouteEntry: by id, or by table, destination and next hop.

use causeway_dialect::{EncodeContext, Failure};
use causeway_ops::operation::{DeleteRoutes, RouteSelector};
use causeway_ops::{Operation, Outcome};
use serde_json::{Value, json};

use crate::action::{Action, Input};
use crate::actions::create_route_entry::destination;

pub const ACTION: Action = Action { service: "vpc", name: "DeleteRouteEntry", decode, encode };

fn decode(input: &Input<'_>) -> Result<Operation, Failure> {
    let fields = &input.fields;
    let id = fields.id("RouteEntryId");
    let table = fields.id("RouteTableId");
    let destination = fields.text("DestinationCidrBlock").map(|text| destination(&text)).transpose()?;
    if id.is_none() && (table.is_none() || destination.is_none()) {
        return Err(Failure::new(400, "MissingParameter", "Miss mandatory parameter."));
    }
    let next_hop = fields.id("NextHopId");
    if next_hop.is_some() && fields.value("NextHopList").is_some() {
        let message = "NextHopId and NextHopList cannot both be not null.";
        return Err(Failure::new(400, "ParamExclusive.NextHopIdAndList", message));
    }
    let routes = vec![RouteSelector { id, destination, next_hop }];
    Ok(Operation::DeleteRoutes(DeleteRoutes { table, routes }))
}

fn encode(_: &Outcome, _: &EncodeContext<'_>) -> Value {
    json!({})
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn own_routes_go_and_system_routes_stay() {
        let mut world = World::new();
        let (table, gateway) = world.table_with_gateway();
        let route = [
            ("RouteTableId", table.as_str()),
            ("DestinationCidrBlock", "192.168.0.0/16"),
            ("NextHopId", gateway.as_str()),
        ];
        let mut create = route.to_vec();
        create.push(("NextHopType", "VpnGateway"));
        world.ok("CreateRouteEntry", &create);
        world.ok("DeleteRouteEntry", &route);
        let failure = world.call("DeleteRouteEntry", &route).unwrap_err();
        assert_eq!((failure.status, failure.code.as_str()), (400, "InvalidRouteEntry.NotFound"));
        let id = world.made("CreateRouteEntry", &create, "RouteEntryId");
        world.ok("DeleteRouteEntry", &[("RouteEntryId", &id)]);
        let system = [("RouteTableId", table.as_str()), ("DestinationCidrBlock", "10.0.1.0/24")];
        assert_eq!(world.code("DeleteRouteEntry", &system), "OperationDenied");
        assert_eq!(world.code("DeleteRouteEntry", &[("RouteTableId", &table)]), "MissingParameter");
    }
}
