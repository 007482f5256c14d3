//! Connections and the gateways that carry them.

use super::*;

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
    assert_eq!(again, busy, "it is deleted once");
}
