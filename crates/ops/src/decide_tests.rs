use std::net::IpAddr;

use causeway_model::{AccountId, AtEnd, Charge, ExternalId, GatewayState, Kind, Record};
use proptest::prelude::*;

use crate::operation::*;
use crate::testing::*;
use crate::*;

#[test]
fn a_dual_gateway_needs_two_subnets_in_different_zones() {
    let mut world = World::new();
    let network = world.network();
    let a1 = world.subnet(&network, "a", "10.1.0.0/24");
    let a2 = world.subnet(&network, "a", "10.2.0.0/24");
    let b = world.subnet(&network, "b", "10.3.0.0/24");
    let one = CreateGateway { dual: true, ..gateway(&network, &[&a1]) };
    assert_eq!(world.act(Operation::CreateGateway(one)).unwrap_err(), OpError::SecondSubnetRequired);
    let cases = [([&a1, &a1], OpError::SameSubnet), ([&a1, &a2], OpError::SameZone)];
    for (subnets, error) in cases {
        assert_eq!(world.act(Operation::CreateGateway(gateway(&network, &subnets))).unwrap_err(), error);
    }
    let id = world.make(Operation::CreateGateway(gateway(&network, &[&a1, &b])));
    let made = world.gateway(&id);
    assert_eq!(made.instances.len(), 2);
    assert_ne!(made.instances[0].public_ip, made.instances[1].public_ip);
    assert_eq!(made.meta.name, id.as_str(), "an unnamed gateway is called by its id");
}

#[test]
fn a_region_with_one_zone_lets_both_instances_share_a_subnet() {
    let mut world = World::new();
    world.caller.region = "one".into();
    let network = world.network();
    let z = world.subnet(&network, "z", "10.1.0.0/24");
    let id = world.make(Operation::CreateGateway(gateway(&network, &[&z, &z])));
    let instances = world.gateway(&id).instances;
    assert_ne!(instances[0].private_ip, instances[1].private_ip);
}

#[test]
fn addresses_run_out_and_are_given_back() {
    let mut world = World::new();
    let network = world.network();
    // A /29 has 8 addresses, of which 5 are kept back.
    let small = world.subnet(&network, "a", "10.1.0.0/29");
    world.caller.rules.quota = |_| None;
    let ids: Vec<_> =
        (0..3).map(|_| world.make(Operation::CreateGateway(gateway(&network, &[&small])))).collect();
    let more = Operation::CreateGateway(gateway(&network, &[&small]));
    assert_eq!(world.act(more.clone()).unwrap_err(), OpError::NoFreeAddress { ordinal: 0 });
    let gone = world.gateway(&ids[1]);
    world.view.apply(&[causeway_model::Write::Delete(gone.id.key())]);
    let again = world.make(more);
    assert_eq!(world.gateway(&again).instances[0].private_ip, gone.instances[0].private_ip);
}

#[test]
fn an_unpaid_order_keeps_the_gateway_from_being_made() {
    let mut world = World::new();
    let network = world.network();
    world.subnet(&network, "a", "10.1.0.0/24");
    let wanted = CreateGateway {
        charge: Charge::PrePaid { months: 1, at_end: AtEnd::Expires },
        ..gateway(&network, &[])
    };
    let id = world.make(Operation::CreateGateway(wanted.clone()));
    assert_eq!(world.gateway(&id).state(), GatewayState::Unpaid);
    let order: ExternalId = world.view.external(world.gateway(&id).order).into();
    world.caller.account = "poor".into();
    assert!(matches!(world.act(Operation::PayOrder(delete(&order))), Err(OpError::NotFound { .. })));
    world.caller.account = "rich".into();
    world.act(Operation::PayOrder(delete(&order))).unwrap();
    assert_eq!(world.gateway(&id).state(), GatewayState::Provisioning);
    world.settle();
    let prepaid = world.act(Operation::DeleteGateway(delete(&id))).unwrap_err();
    assert_eq!(prepaid, OpError::Prepaid { id });
}

#[test]
fn an_account_without_funds_can_not_pay() {
    let mut world = World::new();
    world.caller.account = "poor".into();
    let network = world.network();
    let wanted = Operation::CreateGateway(gateway(&network, &[]));
    assert_eq!(world.act(wanted).unwrap_err(), OpError::InsufficientFunds);
}

#[test]
fn a_client_token_makes_things_once() {
    let mut world = World::new();
    let token =
        |fingerprint| Some(ClientToken { text: "t".to_owned(), action: "Create".to_owned(), fingerprint });
    world.caller.token = token(1);
    let first = world.network();
    assert_eq!(world.network(), first);
    world.caller.token = token(2);
    let cidr = "10.0.0.0/8".parse().unwrap();
    let label = Label::default();
    let other = CreateNetwork { label, cidr, secondary_cidrs: vec![], is_default: false };
    assert_eq!(world.act(Operation::CreateNetwork(other)).unwrap_err(), OpError::TokenMismatch);
    world.caller.token = token(1);
    world.now += causeway_model::limits::CLIENT_TOKEN_LIFE_MS + 1;
    assert_ne!(world.network(), first, "a token is forgotten after its life");
}

#[test]
fn another_account_region_or_api_sees_nothing() {
    let (mut world, network, id) = with_gateway();
    let target = Operation::DeleteGateway(delete(&id));
    let not_found = OpError::NotFound { kind: Kind::Gateway, id: id.clone() };
    let home = world.caller.clone();
    world.caller.account = AccountId::from("poor");
    assert_eq!(world.act(target.clone()).unwrap_err(), not_found);
    world.caller = Caller { region: "one".into(), ..home };
    assert_eq!(world.act(target).unwrap_err(), not_found);
    assert!(world.act(subnet(&network, "z", "10.9.0.0/24")).is_err());
    let list = ListQuery { kind: Kind::Gateway, clauses: vec![], offset: 0, limit: 10 };
    match world.act(Operation::Read(Query::List(list))).unwrap() {
        Outcome::Page { items, total } => assert_eq!((items.len(), total), (0, 0)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_connection_makes_its_gateway_busy_and_is_deleted_before_it() {
    let (mut world, network, id) = with_gateway();
    let one = world.make(peer([203, 0, 113, 1]));
    let two = world.make(peer([203, 0, 113, 2]));
    assert_eq!(world.act(peer([203, 0, 113, 2])).unwrap_err(), OpError::DuplicateCustomerIp);
    let made = world.make(Operation::CreateConnection(connection(&id, &[&one], "192.168.0.0/16")));
    assert_eq!(world.gateway(&id).state(), GatewayState::Updating);
    let second = Operation::CreateConnection(connection(&id, &[&two], "172.16.0.0/16"));
    let busy = OpError::Busy { kind: Kind::Gateway, id: id.clone() };
    assert_eq!(world.act(second.clone()).unwrap_err(), busy);
    world.settle();
    world.act(second).unwrap();
    world.settle();
    for (operation, kind, subject, by) in [
        (Operation::DeleteGateway(delete(&id)), Kind::Gateway, &id, Kind::Connection),
        (Operation::DeleteCustomerGateway(delete(&one)), Kind::CustomerGateway, &one, Kind::Connection),
        (Operation::DeleteNetwork(delete(&network)), Kind::Network, &network, Kind::Subnet),
    ] {
        let in_use = OpError::InUse { kind, id: subject.clone(), by };
        assert_eq!(world.act(operation).unwrap_err(), in_use);
    }
    let routes = |world: &World| world.view.children(world.gateway(&id).id, Kind::Route).count();
    assert_eq!(routes(&world), 2, "each remote range is routed to the gateway");
    world.act(Operation::DeleteConnection(delete(&made))).unwrap();
    assert_eq!(routes(&world), 1);
    world.settle();
    world.act(Operation::DeleteCustomerGateway(delete(&one))).unwrap();
}

#[test]
fn connections_have_as_many_tunnels_as_the_gateway_has_instances() {
    let (mut world, _, id) = with_gateway();
    let one = world.make(peer([203, 0, 113, 1]));
    let two_tunnels = connection(&id, &[&one, &one], "192.168.0.0/16");
    let error = world.act(Operation::CreateConnection(two_tunnels)).unwrap_err();
    assert_eq!(error, OpError::TunnelCount { expected: 1 });
    let made = world.make(Operation::CreateConnection(connection(&id, &[&one], "192.168.0.0/16")));
    let Some(Record::Connection(made)) = world.view.by_external(&"test".into(), Kind::Connection, &made)
    else {
        panic!("it was made")
    };
    let tunnel = &made.tunnels[0];
    assert_eq!(tunnel.psk.expose().len(), 16);
    assert_eq!(tunnel.remote_id, "203.0.113.1");
    assert_eq!(tunnel.local_id, world.gateway(&id).instances[0].public_ip.to_string());
}

#[test]
fn quotas_and_tag_limits_hold() {
    let (mut world, network, id) = with_gateway();
    world.make(Operation::CreateGateway(gateway(&network, &[])));
    let error = world.act(Operation::CreateGateway(gateway(&network, &[]))).unwrap_err();
    assert_eq!(
        error,
        OpError::QuotaExceeded { quota: Quota::GatewaysPerNetwork, limit: 2, present: 2, more: 1 }
    );
    let tags = |n: usize| SetTags {
        resources: vec![Tagged { kind: Kind::Gateway, id: id.clone(), region: None }],
        put: (0..n).map(|n| (format!("k{n}"), String::new())).collect(),
        remove: vec![],
        remove_all: false,
    };
    assert_eq!(world.act(Operation::SetTags(tags(4))).unwrap_err(), OpError::TooManyTags { limit: 3 });
    world.act(Operation::SetTags(tags(3))).unwrap();
    let cleared = SetTags { put: vec![], remove_all: true, ..tags(0) };
    world.act(Operation::SetTags(cleared)).unwrap();
    let named = |region: &str| Tagged { kind: Kind::Gateway, id: id.clone(), region: Some(region.into()) };
    let there = |region: &str| Operation::SetTags(SetTags { resources: vec![named(region)], ..tags(0) });
    world.act(there("two")).unwrap();
    assert_eq!(
        world.act(there("one")).unwrap_err(),
        OpError::NotFound { kind: Kind::Gateway, id: id.clone() }
    );
    assert!(world.gateway(&id).meta.tags.is_empty());
}

#[test]
fn a_resource_group_must_exist_and_connections_follow_their_gateway() {
    let (mut world, _, id) = with_gateway();
    let one = world.make(peer([203, 0, 113, 1]));
    let made = world.make(Operation::CreateConnection(connection(&id, &[&one], "192.168.0.0/16")));
    let go = |group: &str| {
        let group = group.to_owned();
        Operation::MoveResourceGroup(MoveResourceGroup { kind: Kind::Gateway, id: id.clone(), group })
    };
    assert_eq!(world.act(go("rg-9")).unwrap_err(), OpError::UnknownResourceGroup("rg-9".to_owned()));
    world.act(go("rg-2")).unwrap();
    let connection = world.view.by_external(&"test".into(), Kind::Connection, &made).unwrap();
    assert_eq!(connection.meta().unwrap().resource_group, "rg-2");
}

#[test]
fn routes_may_not_shadow_subnets() {
    let (mut world, network, id) = with_gateway();
    let Some(Record::Network(it)) = world.view.by_external(&"test".into(), Kind::Network, &network) else {
        panic!("it was made")
    };
    let table: ExternalId = world.view.external(it.main_table).into();
    let route = |destination: &str| {
        let destination = destination.parse().unwrap();
        let next_hop = NextHopRef::Gateway(id.clone());
        let routes = vec![NewRoute { label: Label::default(), destination, next_hop, enabled: true }];
        Operation::CreateRoutes(CreateRoutes { table: table.clone(), routes })
    };
    let inside = "10.1.0.128/25".parse().unwrap();
    assert_eq!(world.act(route("10.1.0.128/25")).unwrap_err(), OpError::RouteConflictsWithSubnet(inside));
    let unused = "10.200.0.0/16".parse().unwrap();
    world.caller.rules.routes_leave_networks = true;
    assert_eq!(world.act(route("10.200.0.0/16")).unwrap_err(), OpError::RouteConflictsWithSubnet(unused));
    world.caller.rules.routes_leave_networks = false;
    world.act(route("10.200.0.0/16")).unwrap();
    let made = world.make(route("192.168.0.0/16"));
    let twice = OpError::RouteExists("192.168.0.0/16".parse().unwrap());
    assert_eq!(world.act(route("192.168.0.0/16")).unwrap_err(), twice);
    let selector = RouteSelector { id: Some(made.clone()), ..RouteSelector::default() };
    let removed = world.act(Operation::DeleteRoutes(DeleteRoutes { table: None, routes: vec![selector] }));
    let Ok(Outcome::Removed(removed)) = removed else { panic!("it was there") };
    assert_eq!(removed.iter().filter_map(Record::meta).map(|it| &it.external).collect::<Vec<_>>(), [&made]);
    world.settle();
    let remove = Operation::DeleteGateway(delete(&id));
    let in_use = OpError::InUse { kind: Kind::Gateway, id: id.clone(), by: Kind::Route };
    assert_eq!(world.act(remove.clone()).unwrap_err(), in_use);
    world.caller.rules.gateways_take_their_routes = true;
    world.act(remove).unwrap();
    assert_eq!(world.view.children(world.gateway(&id).id, Kind::Route).count(), 0);
    let system = RouteSelector { destination: "10.1.0.0/24".parse().ok(), ..RouteSelector::default() };
    let error = Operation::DeleteRoutes(DeleteRoutes { table: Some(table), routes: vec![system] });
    assert!(matches!(world.act(error), Err(OpError::SystemRoute(_))));
}

#[test]
fn a_gateway_in_trouble_can_be_emptied_and_deleted() {
    let (mut world, _, id) = with_gateway();
    let one = world.make(peer([203, 0, 113, 1]));
    let made = world.make(Operation::CreateConnection(connection(&id, &[&one], "192.168.0.0/16")));
    let busy = OpError::Busy { kind: Kind::Gateway, id: id.clone() };
    let remove = Operation::DeleteConnection(delete(&made));
    assert_eq!(world.act(remove.clone()).unwrap_err(), busy, "the data plane is still at it");
    // The data plane refuses the tunnel, and will for ever: the gateway never carries this generation.
    let mut troubled = world.gateway(&id);
    troubled.status.trouble = "not supported here".to_owned();
    world.view.apply(&[causeway_model::Write::Put(troubled.into())]);
    let another = Operation::CreateConnection(connection(&id, &[&one], "172.16.0.0/16"));
    assert_eq!(world.act(another).unwrap_err(), busy);
    world.act(remove).unwrap();
    let gone = world.view.by_external(&"test".into(), Kind::Connection, &made).unwrap().key();
    world.view.apply(&[causeway_model::Write::Delete(gone)]);
    world.act(Operation::DeleteGateway(delete(&id))).unwrap();
    assert_eq!(world.gateway(&id).state(), GatewayState::Deleting);
    let again = world.act(Operation::DeleteGateway(delete(&id))).unwrap_err();
    let going = OpError::BeingDeleted { kind: Kind::Gateway, id };
    assert_eq!(again, going, "it is deleted once");
}

proptest! {
    /// Pages of any size, put together, are the whole list in order of creation.
    #[test]
    fn pages_make_up_the_list(count in 0usize..40, limit in 1usize..15) {
        let mut world = World::new();
        let made: Vec<ExternalId> = (0..count).map(|_| world.network()).collect();
        let mut seen = Vec::new();
        loop {
            let query = ListQuery { kind: Kind::Network, clauses: vec![], offset: seen.len(), limit };
            let Outcome::Page { items, total } = world.act(Operation::Read(Query::List(query))).unwrap() else {
                panic!("a page")
            };
            prop_assert_eq!(total, count);
            if items.is_empty() {
                break;
            }
            seen.extend(items.iter().map(|item| item.meta().unwrap().external.clone()));
        }
        prop_assert_eq!(seen, made);
    }

    /// No two instances ever share an address, whatever is made and deleted.
    #[test]
    fn addresses_are_unique(steps in prop::collection::vec(any::<bool>(), 1..40)) {
        let mut world = World::new();
        world.caller.rules.quota = |_| None;
        let network = world.network();
        let subnet = world.subnet(&network, "a", "10.1.0.0/26");
        for make in steps {
            if make {
                let _ = world.act(Operation::CreateGateway(gateway(&network, &[&subnet])));
            } else {
                let oldest = world.view.records().find(|record| record.key().kind == Kind::Gateway).cloned();
                if let Some(record) = oldest {
                    world.view.apply(&[causeway_model::Write::Delete(record.key())]);
                }
            }
            let mut addresses: Vec<IpAddr> = world
                .view
                .records()
                .filter_map(|record| match record { Record::Gateway(it) => Some(it), _ => None })
                .flat_map(|it| it.instances.iter())
                .flat_map(|instance| [instance.public_ip].into_iter().chain(instance.private_ip))
                .collect();
            let count = addresses.len();
            addresses.sort();
            addresses.dedup();
            prop_assert_eq!(addresses.len(), count);
        }
    }
}
