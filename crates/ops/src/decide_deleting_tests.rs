//! What is on its way out is neither deleted again, nor paid for, nor added to.

use causeway_model::{AtEnd, Charge, ExternalId, Kind, Record};

use crate::operation::*;
use crate::testing::*;
use crate::*;

fn generation(world: &World, kind: Kind, id: &ExternalId) -> u64 {
    let record = world.view.by_external(&"test".into(), kind, id);
    record.and_then(Record::meta).map(|meta| meta.generation).unwrap()
}

#[test]
fn a_second_deletion_of_a_network_or_subnet_changes_nothing() {
    let mut world = World::new();
    let network = world.network();
    let subnet = world.subnet(&network, "a", "10.1.0.0/24");
    for (kind, id) in [(Kind::Subnet, &subnet), (Kind::Network, &network)] {
        let operation = match kind {
            Kind::Subnet => Operation::DeleteSubnet(delete(id)),
            _ => Operation::DeleteNetwork(delete(id)),
        };
        assert!(matches!(world.act(operation.clone()), Ok(Outcome::Done)));
        let before = generation(&world, kind, id);
        let revision = world.view.revision();
        assert!(matches!(world.act(operation), Ok(Outcome::Done)));
        assert_eq!((generation(&world, kind, id), world.view.revision()), (before, revision), "{kind:?}");
    }
}

#[test]
fn the_order_of_a_gateway_that_is_going_can_not_be_paid() {
    let mut world = World::new();
    let network = world.network();
    world.subnet(&network, "a", "10.1.0.0/24");
    let wanted = CreateGateway {
        charge: Charge::PrePaid { months: 1, at_end: AtEnd::Expires },
        ..gateway(&network, &[])
    };
    let id = world.make(Operation::CreateGateway(wanted));
    let order: ExternalId = world.view.external(world.gateway(&id).order).into();
    world.act(Operation::DeleteGateway(delete(&id))).unwrap();
    let refused = world.act(Operation::PayOrder(delete(&order))).unwrap_err();
    assert_eq!(refused, OpError::WrongState { kind: Kind::Gateway, id: id.clone() });
    assert!(!world.gateway(&id).paid);
}

#[test]
fn the_table_of_a_network_that_is_going_takes_no_routes() {
    let mut world = World::new();
    world.caller.rules.routes_leave_networks = true;
    let network = world.network();
    let Some(Record::Network(it)) = world.view.by_external(&"test".into(), Kind::Network, &network) else {
        panic!("it was made")
    };
    let table: ExternalId = world.view.external(it.main_table).into();
    let route = |destination: &str| {
        let destination = destination.parse().unwrap();
        let next_hop = NextHopRef::Other { kind: "INSTANCE".into(), id: "i-1".into() };
        let routes = vec![NewRoute { label: Label::default(), destination, next_hop, enabled: true }];
        Operation::CreateRoutes(CreateRoutes { table: table.clone(), routes })
    };
    // Nothing but gateways is kept that a route could lead to.
    let nowhere = OpError::NextHopNotFound { kind: "INSTANCE".into(), id: "i-1".into() };
    assert_eq!(world.act(route("192.168.0.0/24")).unwrap_err(), nowhere);
    world.act(Operation::DeleteNetwork(delete(&network))).unwrap();
    let refused = world.act(route("192.168.1.0/24")).unwrap_err();
    assert_eq!(refused, OpError::NotFound { kind: Kind::RouteTable, id: table.clone() });
}
