//! DescribeVpnConnections.

use causeway_dialect::{EncodeContext, Failure};
use causeway_model::{Kind, Record};
use causeway_ops::{Operation, Outcome};
use serde_json::Value;

use crate::action::{Action, Input};
use crate::selects::List;
use crate::shapes::connection::{Place, describe};
use crate::shapes::page;
use crate::tags::{self, Codes};

pub const ACTION: Action = Action { service: "vpc", name: "DescribeVpnConnections", decode, encode };

fn decode(input: &Input<'_>) -> Result<Operation, Failure> {
    let fields = &input.fields;
    List::of(Kind::Connection)
        .ids(fields, "VpnConnectionId")
        .children_of(Kind::Gateway, fields.id("VpnGatewayId"))
        .children_of(Kind::CustomerGateway, fields.id("CustomerGatewayId"))
        .in_group(fields)
        .with(tags::filter(fields, Codes::Vpn)?)
        .page(fields)
}

fn encode(outcome: &Outcome, context: &EncodeContext<'_>) -> Value {
    page::page(outcome, context, ("VpnConnections", "VpnConnection"), |record| match record {
        Record::Connection(it) => Some(describe(it, Place::InList, context.view)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn filters() {
        let mut world = World::new();
        let id = world.connection();
        let shown = world.ok("DescribeVpnConnections", &[("VpnConnectionId", &id)]);
        let item = shown["VpnConnections"]["VpnConnection"][0].clone();
        assert_eq!(item["VpnConnectionId"], id.as_str());
        assert_eq!(item["Tag"]["Tag"], serde_json::json!([]));
        assert_eq!(item["VpnBgpConfig"]["Status"], "false");
        let gateway = item["VpnGatewayId"].as_str().unwrap();
        let peer = item["CustomerGatewayId"].as_str().unwrap();
        let cases = [
            (vec![("VpnGatewayId", gateway)], 1),
            (vec![("VpnGatewayId", gateway), ("CustomerGatewayId", peer)], 1),
            (vec![("CustomerGatewayId", "cgw-none")], 0),
        ];
        for (pairs, wanted) in cases {
            assert_eq!(world.ok("DescribeVpnConnections", &pairs)["TotalCount"], wanted, "{pairs:?}");
        }
    }
}
