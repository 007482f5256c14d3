use std::net::IpAddr;
use std::sync::Arc;

use causeway_model::{
    AccountId, Charge, DhGroup, Encryption, EspProposal, Exposure, ExternalId, Features, GatewayState,
    IkeProposal, IkeVersion, Integrity, Kind, Record, Region, Selection,
};

use super::*;
use crate::operation::*;
use crate::*;

#[path = "decide_connection_tests.rs"]
mod connections;
#[path = "decide_property_tests.rs"]
mod properties;

fn mint(kind: Kind, _: &Region, random: u64) -> ExternalId {
    format!("{}-{random:016x}", kind.word()).into()
}

fn mint_tunnel(_: &Region, random: u64) -> ExternalId {
    format!("tun-{random:016x}").into()
}

const STRICT: Rules = Rules {
    quota: |quota| match quota {
        Quota::GatewaysPerNetwork => Some(2),
        Quota::TagsPerResource => Some(3),
        _ => None,
    },
    mint,
    mint_tunnel,
    one_change_at_a_time: true,
    keeps_prepaid: true,
    gateway_name_defaults_to_id: true,
    has_resource_groups: true,
    gateways_live_in_subnets: true,
    connections_are_apart: false,
    bgp_mbps_min: 0,
};

fn settings() -> Settings {
    let region = |id: &str, zones: &[&str]| RegionSettings {
        id: id.into(),
        name: id.to_owned(),
        zones: zones.iter().map(|zone| (*zone).into()).collect(),
    };
    let account = |id: &str, solvent| AccountSettings {
        id: id.into(),
        name: id.to_owned(),
        solvent,
        quotas: Default::default(),
        resource_groups: vec![("rg-1".to_owned(), "default".to_owned()), ("rg-2".to_owned(), String::new())],
    };
    Settings {
        regions: [("test".into(), vec![region("two", &["a", "b"]), region("one", &["z"])])].into(),
        public_pools: vec!["198.51.100.0/29".parse().unwrap(), "203.0.113.0/24".parse().unwrap()],
        accounts: [account("rich", true), account("poor", false)]
            .map(|account| (account.id.clone(), account))
            .into(),
    }
}

/// A world to decide in: a view, a caller, and a source of numbers.
struct World {
    view: View,
    caller: Caller,
    counter: u64,
    now: i64,
}

impl World {
    fn new() -> Self {
        let caller = Caller {
            account: "rich".into(),
            dialect: "test".into(),
            region: "two".into(),
            rules: STRICT,
            token: None,
            settings: Arc::new(settings()),
        };
        Self { view: View::default(), caller, counter: 0, now: 1_000 }
    }

    fn act(&mut self, operation: Operation) -> Result<Outcome, OpError> {
        let counter = &mut self.counter;
        let mut entropy = || {
            *counter += 1;
            // Spread over all bits, as random numbers are.
            counter.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        };
        let decision = decide(&self.view, &self.caller, &operation, Millis(self.now), &mut entropy)?;
        if !decision.writes.is_empty() {
            self.view.apply(&decision.writes);
        }
        Ok(decision.outcome)
    }

    /// Makes something and gives its id.
    fn make(&mut self, operation: Operation) -> ExternalId {
        match self.act(operation).unwrap() {
            Outcome::Created(keys) => self.view.external(keys[0]).into(),
            other => panic!("{other:?}"),
        }
    }

    fn network(&mut self) -> ExternalId {
        let cidr = "10.0.0.0/8".parse().unwrap();
        let label = Label::default();
        self.make(Operation::CreateNetwork(CreateNetwork {
            label,
            cidr,
            secondary_cidrs: vec![],
            is_default: false,
        }))
    }

    fn subnet(&mut self, network: &ExternalId, zone: &str, cidr: &str) -> ExternalId {
        self.make(subnet(network, zone, cidr))
    }

    /// What the reconciler does once the data plane is there.
    fn settle(&mut self) {
        let writes: Vec<_> = self
            .view
            .records()
            .filter_map(|record| match record {
                Record::Gateway(gateway) => {
                    let mut gateway = (**gateway).clone();
                    gateway.status.observed_generation = gateway.meta.generation;
                    gateway.status.was_active = true;
                    Some(causeway_model::Write::Put(gateway.into()))
                }
                Record::Connection(it) if it.meta.deleting => {
                    Some(causeway_model::Write::Delete(it.id.key()))
                }
                _ => None,
            })
            .collect();
        self.view.apply(&writes);
    }

    fn gateway(&self, id: &ExternalId) -> causeway_model::Gateway {
        match self.view.by_external(&"test".into(), Kind::Gateway, id) {
            Some(Record::Gateway(gateway)) => (**gateway).clone(),
            other => panic!("{other:?}"),
        }
    }
}

fn subnet(network: &ExternalId, zone: &str, cidr: &str) -> Operation {
    let (network, cidr) = (network.clone(), cidr.parse().unwrap());
    Operation::CreateSubnet(CreateSubnet { label: Label::default(), network, zone: zone.into(), cidr })
}

fn gateway(network: &ExternalId, subnets: &[&ExternalId]) -> CreateGateway {
    CreateGateway {
        label: Label::default(),
        network: Some(network.clone()),
        subnets: subnets.iter().map(|id| (*id).clone()).collect(),
        dual: subnets.len() == 2,
        bandwidth_mbps: 5,
        features: Features { ipsec: true, ssl_clients: None, transit: false },
        charge: Charge::PostPaid,
        pay_now: false,
        exposure: Exposure::Public,
        asn: None,
    }
}

fn peer(ip: [u8; 4]) -> Operation {
    let (label, ip) = (Label::default(), IpAddr::from(ip));
    Operation::CreateCustomerGateway(CreateCustomerGateway { label, ip, asn: None, bgp_key: None })
}

fn connection(gateway: &ExternalId, peers: &[&ExternalId], remote: &str) -> CreateConnection {
    let tunnel = |peer: &&ExternalId| NewTunnel {
        customer_gateway: (*peer).clone(),
        psk: None,
        local_id: None,
        remote_id: None,
        ike: IkeProposal {
            version: IkeVersion::V2,
            encryption: Encryption::Aes128Cbc,
            integrity: Integrity::Sha1,
            dh_group: DhGroup(14),
            lifetime_s: 86_400,
        },
        esp: EspProposal {
            encryption: Encryption::Aes128Cbc,
            integrity: Integrity::Sha1,
            pfs_group: None,
            lifetime_s: 3_600,
            lifetime_bytes: None,
        },
        dpd: None,
        nat_traversal: true,
        bgp: None,
    };
    CreateConnection {
        label: Label::default(),
        gateway: gateway.clone(),
        network: None,
        selection: Selection::Routes,
        local_subnets: vec!["10.0.0.0/8".parse().unwrap()],
        remote_subnets: vec![remote.parse().unwrap()],
        tunnels: peers.iter().map(tunnel).collect(),
        tunnels_have_ids: true,
        health_check: None,
        initiate: true,
        auto_routes: true,
    }
}

fn delete(id: &ExternalId) -> Target {
    Target { id: id.clone(), parent: None }
}

/// A world with an active gateway that has one instance.
fn with_gateway() -> (World, ExternalId, ExternalId) {
    let mut world = World::new();
    let network = world.network();
    let subnet = world.subnet(&network, "a", "10.1.0.0/24");
    let id = world.make(Operation::CreateGateway(gateway(&network, &[&subnet])));
    world.settle();
    (world, network, id)
}

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
    let wanted = CreateGateway { charge: Charge::PrePaid { months: 1 }, ..gateway(&network, &[]) };
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
fn quotas_and_tag_limits_hold() {
    let (mut world, network, id) = with_gateway();
    world.make(Operation::CreateGateway(gateway(&network, &[])));
    let error = world.act(Operation::CreateGateway(gateway(&network, &[]))).unwrap_err();
    assert_eq!(error, OpError::QuotaExceeded { quota: Quota::GatewaysPerNetwork, limit: 2 });
    let tags = |n: usize| SetTags {
        resources: vec![(Kind::Gateway, id.clone())],
        put: (0..n).map(|n| (format!("k{n}"), String::new())).collect(),
        remove: vec![],
        remove_all: false,
    };
    assert_eq!(world.act(Operation::SetTags(tags(4))).unwrap_err(), OpError::TooManyTags { limit: 3 });
    world.act(Operation::SetTags(tags(3))).unwrap();
    let cleared = SetTags { put: vec![], remove_all: true, ..tags(0) };
    world.act(Operation::SetTags(cleared)).unwrap();
    assert!(world.gateway(&id).meta.tags.is_empty());
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
    let made = world.make(route("192.168.0.0/16"));
    let twice = OpError::RouteExists("192.168.0.0/16".parse().unwrap());
    assert_eq!(world.act(route("192.168.0.0/16")).unwrap_err(), twice);
    let selector = RouteSelector { id: Some(made), ..RouteSelector::default() };
    world.act(Operation::DeleteRoutes(DeleteRoutes { table: None, routes: vec![selector] })).unwrap();
    let system = RouteSelector { destination: "10.1.0.0/24".parse().ok(), ..RouteSelector::default() };
    let error = Operation::DeleteRoutes(DeleteRoutes { table: Some(table), routes: vec![system] });
    assert!(matches!(world.act(error), Err(OpError::SystemRoute(_))));
}
