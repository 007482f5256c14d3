//! What the tests of this crate share: a world to decide in, and operations.

use std::net::IpAddr;
use std::sync::Arc;

use causeway_model::{
    Charge, Exposure, ExternalId, Features, Initiation, Kind, Millis, Record, Region, Selection, View,
    fixtures,
};

use crate::operation::*;
use crate::*;

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
    gateways_take_their_routes: false,
    gateway_name_defaults_to_id: true,
    has_resource_groups: true,
    gateways_live_in_subnets: true,
    routes_leave_networks: false,
    connections_are_apart: false,
    connections_agree: false,
    bgp_mbps_min: 0,
};

fn settings() -> Settings {
    let region = |id: &str, zones: &[&str]| {
        RegionSettings::new(id, id, zones.iter().map(|zone| (*zone).into()).collect())
    };
    let account = |id: &str, solvent| AccountSettings {
        solvent,
        resource_groups: vec![("rg-1".to_owned(), "default".to_owned()), ("rg-2".to_owned(), String::new())],
        ..AccountSettings::new(id, id)
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
pub struct World {
    pub view: View,
    pub caller: Caller,
    counter: u64,
    pub now: i64,
}

impl World {
    pub fn new() -> Self {
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

    pub fn act(&mut self, operation: Operation) -> Result<Outcome, OpError> {
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
    pub fn make(&mut self, operation: Operation) -> ExternalId {
        match self.act(operation).unwrap() {
            Outcome::Created(keys) => self.view.external(keys[0]).into(),
            other => panic!("{other:?}"),
        }
    }

    pub fn network(&mut self) -> ExternalId {
        let cidr = "10.0.0.0/8".parse().unwrap();
        let label = Label::default();
        self.make(Operation::CreateNetwork(CreateNetwork {
            label,
            cidr,
            secondary_cidrs: vec![],
            is_default: false,
        }))
    }

    pub fn subnet(&mut self, network: &ExternalId, zone: &str, cidr: &str) -> ExternalId {
        self.make(subnet(network, zone, cidr))
    }

    /// What the reconciler does once the data plane is there.
    pub fn settle(&mut self) {
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

    pub fn gateway(&self, id: &ExternalId) -> causeway_model::Gateway {
        match self.view.by_external(&"test".into(), Kind::Gateway, id) {
            Some(Record::Gateway(gateway)) => (**gateway).clone(),
            other => panic!("{other:?}"),
        }
    }
}

pub fn subnet(network: &ExternalId, zone: &str, cidr: &str) -> Operation {
    let (network, cidr) = (network.clone(), cidr.parse().unwrap());
    Operation::CreateSubnet(CreateSubnet { label: Label::default(), network, zone: zone.into(), cidr })
}

pub fn gateway(network: &ExternalId, subnets: &[&ExternalId]) -> CreateGateway {
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
        zone: None,
    }
}

/// A change of nothing.
pub fn modify_gateway(id: &ExternalId) -> ModifyGateway {
    ModifyGateway {
        id: id.clone(),
        name: None,
        description: None,
        propagate: None,
        ssl_clients: None,
        bandwidth: None,
        at_end: None,
        asn: None,
        facet: None,
    }
}

pub fn peer(ip: [u8; 4]) -> Operation {
    let (label, ip) = (Label::default(), IpAddr::from(ip));
    Operation::CreateCustomerGateway(CreateCustomerGateway { label, ip, asn: None, bgp_key: None })
}

pub fn connection(gateway: &ExternalId, peers: &[&ExternalId], remote: &str) -> CreateConnection {
    let (ike, esp) = fixtures::proposals();
    let tunnel = |peer: &&ExternalId| NewTunnel {
        customer_gateway: (*peer).clone(),
        psk: None,
        local_id: None,
        remote_id: None,
        ike: ike.clone(),
        esp: esp.clone(),
        dpd: None,
        nat_traversal: true,
        bgp: None,
    };
    CreateConnection {
        label: Label::default(),
        gateway: gateway.clone(),
        network: None,
        gateway_facet: None,
        selection: Selection::Routes,
        local_subnets: vec!["10.0.0.0/8".parse().unwrap()],
        remote_subnets: vec![remote.parse().unwrap()],
        tunnels: peers.iter().map(tunnel).collect(),
        tunnels_have_ids: true,
        health_check: None,
        initiation: Initiation::AtOnce,
        auto_routes: true,
    }
}

pub fn delete(id: &ExternalId) -> Target {
    Target { id: id.clone(), parent: None }
}

/// A world with an active gateway that has one instance.
pub fn with_gateway() -> (World, ExternalId, ExternalId) {
    let mut world = World::new();
    let network = world.network();
    let subnet = world.subnet(&network, "a", "10.1.0.0/24");
    let id = world.make(Operation::CreateGateway(gateway(&network, &[&subnet])));
    world.settle();
    (world, network, id)
}
