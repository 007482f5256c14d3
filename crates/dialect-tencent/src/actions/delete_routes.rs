//! DeleteRoutes: by `RouteId` (Terraform sends nothing else), `RouteItemId`, or destination and next hop.

use causeway_dialect::EncodeContext;
use causeway_model::{ExternalId, Kind, Record};
use causeway_ops::operation::{DeleteRoutes, RouteSelector};
use causeway_ops::{Operation, Outcome};
use ipnet::IpNet;

use crate::action::{self, Action, Answer, Input};
use crate::errors;
use crate::ids;
use crate::params::{MALFORMED, Members};
use crate::refusal::Refusal;
use crate::shapes::route_table::route;

/// See the module.
pub const ACTION: Action = Action { service: "vpc", name: "DeleteRoutes", decode, encode };

fn decode(input: &Input<'_>) -> Result<Operation, Refusal> {
    let members = input.members();
    let table = members.required_id("RouteTableId", Kind::RouteTable, MALFORMED)?;
    let routes = members.structures("Routes");
    if routes.is_empty() {
        return Err(Refusal::missing("Routes"));
    }
    let routes = routes.iter().map(selector).collect::<Result<Vec<_>, _>>()?;
    Ok(Operation::DeleteRoutes(DeleteRoutes { table: Some(table), routes }))
}

fn selector(it: &Members<'_>) -> Result<RouteSelector, Refusal> {
    let number = it.integer("RouteId")?;
    let id = match (it.id("RouteItemId", Kind::Route, MALFORMED)?, number) {
        (Some(id), _) => Some(id),
        (None, Some(number)) => Some(by_number(number)?),
        (None, None) => None,
    };
    let destination = it.cidr("DestinationCidrBlock")?.map(IpNet::V4);
    if id.is_none() && destination.is_none() {
        return Err(Refusal::missing(&it.path("RouteId")));
    }
    Ok(RouteSelector { id, destination, next_hop: it.text("GatewayId").map(ExternalId::from) })
}

fn by_number(number: i64) -> Result<ExternalId, Refusal> {
    let id = u64::try_from(number).ok().and_then(ids::route_of_number);
    id.ok_or_else(|| errors::missing_resource(&ExternalId::from(number.to_string())))
}

/// The routes as they were.
fn encode(outcome: &Outcome, context: &EncodeContext<'_>) -> Result<Answer, Refusal> {
    let Outcome::Removed(records) = outcome else { return Err(action::lost()) };
    let set = records.iter().filter_map(|record| match record {
        Record::Route(it) => Some(route(context.view, it)),
        _ => None,
    });
    Ok(action::one("RouteSet", set.collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing;

    #[test]
    fn something_must_name_the_route() {
        let code = |route: serde_json::Value| {
            let given = json!({"RouteTableId": "rtb-1", "Routes": [route]});
            testing::decode("DeleteRoutes", given).map_err(|refusal| refusal.code).err()
        };
        assert_eq!(code(json!({})), Some("MissingParameter"));
        assert_eq!(code(json!({"RouteId": -1})), Some("ResourceNotFound"));
        assert_eq!(code(json!({"RouteItemId": "x"})), Some("InvalidParameterValue.Malformed"));
        for right in [
            json!({"RouteId": 5}),
            json!({"RouteItemId": "rti-1"}),
            json!({"DestinationCidrBlock": "9.0.0.0/8"}),
        ] {
            assert_eq!(code(right), None);
        }
    }
}
