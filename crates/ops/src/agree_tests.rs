use std::net::IpAddr;

use causeway_model::{ExternalId, Gateway, IkeVersion, Kind, Record, Secret, Selection};
use ipnet::IpNet;

use crate::operation::*;
use crate::testing::*;
use crate::*;

/// A world whose connections agree, with an active gateway that has one instance.
fn agreeing() -> (World, ExternalId) {
    let (mut world, _, gateway) = with_gateway();
    world.caller.rules.connections_agree = true;
    (world, gateway)
}

fn device(world: &mut World, last: u8, asn: u32) -> ExternalId {
    let (label, ip) = (Label::default(), IpAddr::from([203, 0, 113, last]));
    let it = CreateCustomerGateway { label, ip, asn: Some(asn), bgp_key: None };
    world.make(Operation::CreateCustomerGateway(it))
}

fn speaking_bgp(mut it: CreateConnection, link: &str, local_asn: u32) -> CreateConnection {
    let tunnel_cidr: IpNet = link.parse().unwrap();
    let local_ip = tunnel_cidr.hosts().next().unwrap();
    it.selection = Selection::Bgp;
    for tunnel in &mut it.tunnels {
        tunnel.bgp = Some(NewTunnelBgp { tunnel_cidr, local_ip, local_asn });
    }
    it
}

fn with_key(mut it: CreateConnection, key: &str) -> CreateConnection {
    for tunnel in &mut it.tunnels {
        tunnel.psk = Some(Secret::new(key.to_owned()));
    }
    it
}

/// Makes a connection once the gateway is no longer busy with the one before.
fn connect(world: &mut World, it: CreateConnection) -> Result<ExternalId, OpError> {
    world.settle();
    match world.act(Operation::CreateConnection(it))? {
        Outcome::Created(keys) => Ok(world.view.external(keys[0]).into()),
        other => panic!("{other:?}"),
    }
}

fn refusal(world: &mut World, it: CreateConnection) -> Conflict {
    match connect(world, it).unwrap_err() {
        OpError::Conflict(conflict) => conflict,
        other => panic!("{other:?}"),
    }
}

fn key_of(world: &World, id: &ExternalId) -> Secret {
    match world.view.by_external(&"test".into(), Kind::Connection, id) {
        Some(Record::Connection(it)) => it.tunnels[0].psk.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn links_and_the_gateways_number_are_those_of_the_gateway() {
    let (mut world, gateway) = agreeing();
    let peers = [device(&mut world, 1, 65_001), device(&mut world, 2, 65_002)];
    let bgp = |peer: &ExternalId, remote: &str, link: &str, asn: u32| {
        speaking_bgp(connection(&gateway, &[peer], remote), link, asn)
    };
    connect(&mut world, bgp(&peers[0], "192.168.1.0/24", "169.254.10.0/30", 45_104)).unwrap();
    let link: IpNet = "169.254.10.0/30".parse().unwrap();
    let same_link = bgp(&peers[1], "192.168.2.0/24", "169.254.10.0/30", 45_104);
    assert_eq!(refusal(&mut world, same_link), Conflict::Link { link, other: link });
    let other_number = bgp(&peers[1], "192.168.2.0/24", "169.254.11.0/30", 64_512);
    assert_eq!(refusal(&mut world, other_number), Conflict::OtherLocalAsn { asn: 64_512, other: 45_104 });
    let without = connection(&gateway, &[&peers[1]], "192.168.2.0/24");
    assert_eq!(refusal(&mut world, without), Conflict::NeedsBgp);
    connect(&mut world, bgp(&peers[1], "192.168.2.0/24", "169.254.11.0/30", 45_104)).unwrap();
}

#[test]
fn the_two_tunnels_of_a_connection_have_links_of_their_own() {
    let mut world = World::new();
    world.caller.rules.connections_agree = true;
    let network = world.network();
    let first = world.subnet(&network, "a", "10.1.0.0/24");
    let second = world.subnet(&network, "b", "10.2.0.0/24");
    let id = world.make(Operation::CreateGateway(gateway(&network, &[&first, &second])));
    let peer = device(&mut world, 1, 65_001);
    let mut it = speaking_bgp(connection(&id, &[&peer, &peer], "192.168.1.0/24"), "169.254.10.0/30", 45_104);
    assert!(matches!(refusal(&mut world, it.clone()), Conflict::Link { .. }));
    if let Some(bgp) = &mut it.tunnels[1].bgp {
        bgp.tunnel_cidr = "169.254.11.0/30".parse().unwrap();
        bgp.local_asn = 1;
    }
    assert_eq!(refusal(&mut world, it.clone()), Conflict::OtherLocalAsn { asn: 1, other: 45_104 });
    if let Some(bgp) = &mut it.tunnels[1].bgp {
        bgp.local_asn = 45_104;
    }
    connect(&mut world, it).unwrap();
}

#[test]
fn a_device_is_neither_the_gateway_nor_behind_itself() {
    let (mut world, id) = agreeing();
    let own: Gateway = world.gateway(&id);
    let ip = own.instances[0].public_ip;
    let own = CreateCustomerGateway { label: Label::default(), ip, asn: None, bgp_key: None };
    let own = world.make(Operation::CreateCustomerGateway(own));
    let it = connection(&id, &[&own], "192.168.0.0/16");
    assert_eq!(refusal(&mut world, it), Conflict::PeerIsGateway(ip));
    let peer = device(&mut world, 1, 65_001);
    let range: IpNet = "203.0.113.0/24".parse().unwrap();
    let it = connection(&id, &[&peer], "203.0.113.0/24");
    let ip = IpAddr::from([203, 0, 113, 1]);
    assert_eq!(refusal(&mut world, it), Conflict::PeerBehindItself { ip, range });
    // Everything stands for "by routes".
    connect(&mut world, connection(&id, &[&peer], "0.0.0.0/0")).unwrap();
}

#[test]
fn connections_to_one_device_have_one_key_and_one_set_of_options() {
    let (mut world, id) = agreeing();
    let peer = device(&mut world, 1, 65_001);
    let other = device(&mut world, 2, 65_002);
    let to = |peer: &ExternalId, remote: &str| connection(&id, &[peer], remote);
    let first = connect(&mut world, with_key(to(&peer, "192.168.1.0/24"), "one")).unwrap();
    let differs = Conflict::PeerOptions(first.clone());
    assert_eq!(refusal(&mut world, with_key(to(&peer, "192.168.2.0/24"), "two")), differs);
    let mut it = with_key(to(&peer, "192.168.2.0/24"), "one");
    it.tunnels[0].ike.version = IkeVersion::V1Main;
    assert_eq!(refusal(&mut world, it.clone()), differs);
    it = with_key(to(&peer, "192.168.2.0/24"), "one");
    it.tunnels[0].remote_id = Some("branch".to_owned());
    assert_eq!(refusal(&mut world, it.clone()), differs);
    // Its default, spelled out, is the same.
    it.tunnels[0].remote_id = Some("203.0.113.1".to_owned());
    connect(&mut world, it).unwrap();
    let unnamed = connect(&mut world, to(&peer, "192.168.3.0/24")).unwrap();
    assert!(key_of(&world, &unnamed) == key_of(&world, &first), "a key that is left out is the known one");
    let elsewhere = connect(&mut world, to(&other, "192.168.4.0/24")).unwrap();
    assert!(key_of(&world, &elsewhere) != key_of(&world, &first));
}

#[test]
fn connections_to_one_device_share_no_pair_of_ranges() {
    let (mut world, id) = agreeing();
    let peer = device(&mut world, 1, 65_001);
    let other = device(&mut world, 2, 65_002);
    let to = |peer: &ExternalId, remote: &str| with_key(connection(&id, &[peer], remote), "k");
    let first = connect(&mut world, to(&peer, "192.168.0.0/16")).unwrap();
    assert_eq!(
        connect(&mut world, to(&peer, "192.168.0.0/16")),
        Err(OpError::DuplicateConnection(first.clone()))
    );
    let inside = Conflict::PeerRanges(first.clone());
    assert_eq!(refusal(&mut world, to(&peer, "192.168.7.0/24")), inside);
    assert_eq!(refusal(&mut world, to(&peer, "0.0.0.0/0")), inside);
    let mut elsewhere = to(&peer, "192.168.7.0/24");
    elsewhere.local_subnets = vec!["172.16.0.0/12".parse().unwrap()];
    connect(&mut world, elsewhere).unwrap();
    connect(&mut world, to(&other, "192.168.7.0/24")).unwrap();
}

#[test]
fn without_the_rule_nothing_has_to_agree() {
    let (mut world, id) = agreeing();
    world.caller.rules.connections_agree = false;
    let peer = device(&mut world, 1, 65_001);
    let to = |remote: &str, key: &str| with_key(connection(&id, &[&peer], remote), key);
    connect(&mut world, to("192.168.0.0/16", "one")).unwrap();
    connect(&mut world, to("192.168.7.0/24", "two")).unwrap();
}

#[test]
fn what_bgp_sessions_rest_on_stays() {
    let (mut world, id) = agreeing();
    let peer = device(&mut world, 1, 65_001);
    let change =
        |propagate, asn| Operation::ModifyGateway(ModifyGateway { propagate, asn, ..modify_gateway(&id) });
    world.act(change(Some(true), None)).unwrap();
    let it = speaking_bgp(connection(&id, &[&peer], "192.168.0.0/16"), "169.254.10.0/30", 45_104);
    let made = connect(&mut world, it).unwrap();
    world.settle();
    assert_eq!(world.act(change(Some(false), None)).unwrap_err(), OpError::PropagationInUse(id.clone()));
    let in_use = OpError::AsnInUse { kind: Kind::Gateway, id: id.clone() };
    assert_eq!(world.act(change(None, Some(7))).unwrap_err(), in_use);
    world.act(change(Some(true), None)).unwrap();
    world.act(Operation::DeleteConnection(delete(&made))).unwrap();
    world.settle();
    world.act(change(Some(false), Some(7))).unwrap();
    assert!(!world.gateway(&id).propagate);
}

#[test]
fn a_devices_number_stays_and_its_key_makes_the_gateway_busy() {
    let (mut world, id) = agreeing();
    let peer = device(&mut world, 1, 65_001);
    let change = |asn, key: Option<&str>| {
        Operation::ModifyCustomerGateway(ModifyCustomerGateway {
            id: peer.clone(),
            name: Some("n".to_owned()),
            description: None,
            asn,
            bgp_key: key.map(|key| Secret::new(key.to_owned())),
            facet: None,
        })
    };
    world.act(change(None, Some("unused"))).unwrap();
    let it = speaking_bgp(connection(&id, &[&peer], "192.168.0.0/16"), "169.254.10.0/30", 45_104);
    connect(&mut world, it).unwrap();
    let busy = OpError::Busy { kind: Kind::Gateway, id: id.clone() };
    assert_eq!(world.act(change(None, Some("k"))).unwrap_err(), busy);
    world.act(change(None, None)).unwrap();
    world.settle();
    let in_use = OpError::AsnInUse { kind: Kind::CustomerGateway, id: peer.clone() };
    assert_eq!(world.act(change(Some(1), None)).unwrap_err(), in_use);
    world.act(change(Some(65_001), None)).unwrap();
    world.act(change(None, Some("k"))).unwrap();
    assert_eq!(world.act(change(None, Some("l"))).unwrap_err(), busy, "the new key is on its way");
}

#[test]
fn a_device_whose_last_connection_is_going_is_worth_another_try() {
    let (mut world, id) = agreeing();
    let peer = device(&mut world, 1, 65_001);
    let made = connect(&mut world, connection(&id, &[&peer], "192.168.0.0/16")).unwrap();
    world.settle();
    world.act(Operation::DeleteConnection(delete(&made))).unwrap();
    let busy = OpError::Busy { kind: Kind::Gateway, id };
    assert_eq!(world.act(Operation::DeleteCustomerGateway(delete(&peer))).unwrap_err(), busy);
    world.settle();
    world.act(Operation::DeleteCustomerGateway(delete(&peer))).unwrap();
}
