//! What the cases are made of: an engine, addresses, and objects to try on it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use causeway_model::{
    DhGroup, Dpd, DpdAction, Encryption, EspProposal, IkeProposal, IkeVersion, Initiation, Integrity, Secret,
    TrafficSelectors,
};
use causeway_plan::{
    ConnectionKey, Desired, GatewayKey, Instance, InstanceHealth, InstanceKey, MssClamp, Network, NetworkKey,
    NextHop, Object, Observed, Route, RouteKey, Scope, Step, Subnet, SubnetKey, Tunnel, TunnelKey, check,
    plan,
};
use ipnet::IpNet;

use crate::engine::Engine;

/// How often a waiting case looks when no wake-up came.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// An engine under test.
#[derive(Clone)]
pub struct Fixture {
    pub engine: Arc<dyn Engine>,
    /// Starts every key of the suite's objects: at most 6 characters.
    pub prefix: String,
    /// Four public addresses the engine may give to instances, and a fifth that nobody has.
    pub public: [IpAddr; 5],
    /// How long the engine may take for what does not happen at once.
    pub patience: Duration,
}

impl Fixture {
    pub(super) fn network_key(&self, number: u8) -> NetworkKey {
        NetworkKey::new(format!("{}n{number}", self.prefix)).expect("a short prefix")
    }

    pub(super) fn gateway_key(&self, number: u8) -> GatewayKey {
        GatewayKey::new(format!("{}g{number}", self.prefix)).expect("a short prefix")
    }

    pub(super) fn network_scope(&self, number: u8) -> Scope {
        Scope::Network(self.network_key(number))
    }

    pub(super) fn gateway_scope(&self, number: u8) -> Scope {
        Scope::Gateway(self.gateway_key(number))
    }

    pub(super) fn network(&self, number: u8) -> Object {
        let cidrs = vec![net(&format!("10.{number}.0.0/16"))];
        Object::Network(Network { key: self.network_key(number), cidrs })
    }

    fn subnet_key(&self, zone: u8) -> SubnetKey {
        SubnetKey::new(format!("{}s{zone}", self.prefix)).expect("a short prefix")
    }

    /// Subnet 10.`number`.`zone`.0/24 of a network.
    pub(super) fn subnet(&self, number: u8, zone: u8) -> Object {
        Object::Subnet(Subnet {
            key: self.subnet_key(zone + 10 * number),
            network: self.network_key(number),
            cidr: net(&format!("10.{number}.{zone}.0/24")),
            router_ip: ip(&format!("10.{number}.{zone}.253")),
        })
    }

    pub(super) fn instance_key(&self, number: u8, index: u8) -> InstanceKey {
        InstanceKey { gateway: self.gateway_key(number), index }
    }

    /// Instance `index` of gateway `number`, in zone `index` of network `number`.
    pub(super) fn instance(&self, number: u8, index: u8) -> Instance {
        Instance {
            key: self.instance_key(number, index),
            network: self.network_key(number),
            subnet: self.subnet_key(index + 10 * number),
            private_ip: ip(&format!("10.{number}.{index}.252")),
            subnet_cidr: net(&format!("10.{number}.{index}.0/24")),
            network_cidrs: vec![net(&format!("10.{number}.0.0/16"))],
            router_ip: ip(&format!("10.{number}.{index}.253")),
            public_ip: self.public[usize::from(2 * (number % 2) + index)],
            bandwidth_mbps: Some(100),
            inner_mtu: 1400,
            mss: MssClamp::Mtu,
        }
    }

    pub(super) fn tunnel_key(&self, number: u8, index: u8, connection: u8) -> TunnelKey {
        TunnelKey {
            instance: self.instance_key(number, index),
            connection: ConnectionKey::new(format!("{}c{connection}", self.prefix)).expect("a short prefix"),
        }
    }

    /// A tunnel from instance `index` of gateway `number` to the same instance of the other gateway.
    pub(super) fn tunnel(&self, number: u8, index: u8, connection: u8) -> Tunnel {
        let other = 1 - number;
        let remote_net = net(&format!("10.{other}.0.0/16"));
        Tunnel {
            key: self.tunnel_key(number, index, connection),
            if_id: u32::from(connection) + 1,
            remote: Some(self.instance(other, index).public_ip),
            local_id: format!("end{number}-{connection}.example"),
            remote_id: format!("end{other}-{connection}.example"),
            psk: Secret::new(format!("the secret of connection {connection}")),
            ike: IkeProposal {
                version: IkeVersion::V2,
                encryption: Encryption::Aes128Cbc,
                integrity: Integrity::Sha256,
                dh_group: DhGroup(14),
                lifetime_s: 86_400,
            },
            esp: EspProposal {
                encryption: Encryption::Aes128Gcm16,
                integrity: Integrity::Sha256,
                pfs_group: Some(DhGroup(14)),
                lifetime_s: 3_600,
                lifetime_bytes: None,
            },
            children: vec![TrafficSelectors::everything()],
            dpd: Some(Dpd { delay_s: 10, timeout_s: 30, action: DpdAction::Restart }),
            nat_traversal: true,
            initiation: if number == 0 { Initiation::AtOnce } else { Initiation::ByPeer },
            routes: if connection == 0 { vec![remote_net] } else { vec![] },
            inner_address: None,
        }
    }

    /// A route of network `number` to the other network, by tunnel `connection` of either instance.
    pub(super) fn route(&self, number: u8, connection: u8) -> Route {
        let hop = |index| NextHop {
            instance: self.instance_key(number, index),
            private_ip: self.instance(number, index).private_ip,
            tunnel: Some(self.tunnel_key(number, index, connection)),
        };
        Route {
            key: RouteKey {
                gateway: self.gateway_key(number),
                network: self.network_key(number),
                destination: net(&format!("10.{}.0.0/16", 1 - number)),
            },
            next_hops: vec![hop(0), hop(1)],
        }
    }

    pub(super) async fn observe(&self, scope: &Scope) -> Observed {
        self.engine.observe(scope).await.expect("observe")
    }

    /// Brings a scope to hold exactly `objects`, and asserts that the engine then agrees.
    pub(super) async fn reach(&self, scope: Scope, objects: Vec<Object>) {
        let desired = Desired { scope, objects };
        let steps = plan(&desired, &self.observe(&desired.scope).await);
        assert_eq!(check(&steps), Ok(()));
        for step in &steps.steps {
            let outcome = self.engine.apply(step).await;
            assert!(outcome.is_ok(), "{:?} of {}: {outcome:?}", step_name(step), step.key());
        }
        let rest = plan(&desired, &self.observe(&desired.scope).await);
        let rest: Vec<String> = rest.steps.iter().map(|step| step.key().to_string()).collect();
        assert_eq!(rest, Vec::<String>::new(), "still to do after every step was applied");
    }

    /// Makes networks 0 and 1 with two subnets each.
    pub(super) async fn make_networks(&self) {
        for number in 0..2 {
            let objects = vec![self.network(number), self.subnet(number, 0), self.subnet(number, 1)];
            self.reach(self.network_scope(number), objects).await;
        }
    }

    /// Makes a gateway with two instances and these tunnels, and waits until its instances are active.
    pub(super) async fn make_gateway(&self, number: u8, tunnels: &[Tunnel]) {
        let scope = self.gateway_scope(number);
        self.reach(scope.clone(), self.gateway(number, tunnels)).await;
        self.until(&scope, "both instances are active", |seen| {
            seen.instances.len() == 2 && seen.instances.values().all(|h| *h == InstanceHealth::Active)
        })
        .await;
    }

    /// The objects of a gateway with two instances and these tunnels.
    pub(super) fn gateway(&self, number: u8, tunnels: &[Tunnel]) -> Vec<Object> {
        let instances = (0..2).map(|index| Object::Instance(self.instance(number, index)));
        instances.chain(tunnels.iter().map(|tunnel| Object::Tunnel(Box::new(tunnel.clone())))).collect()
    }

    /// Waits until a scope looks as expected: by wake-ups, and now and then without.
    pub(super) async fn until(&self, scope: &Scope, what: &str, expected: impl Fn(&Observed) -> bool) {
        let mut wake_ups = self.engine.watch();
        let looking = async {
            loop {
                if expected(&self.observe(scope).await) {
                    return;
                }
                let _ = tokio::time::timeout(LOOK_AGAIN, wake_ups.recv()).await;
            }
        };
        if tokio::time::timeout(self.patience, looking).await.is_err() {
            let seen = self.observe(scope).await;
            panic!(
                "{what}: not within {:?}; instances {:?}, tunnels {:#?}, routes {:?}",
                self.patience, seen.instances, seen.tunnels, seen.routes
            );
        }
    }

    /// Removes whatever a case made.
    pub(super) async fn clear(&self) {
        let gateways = (0..2).map(|number| self.gateway_scope(number));
        for scope in gateways.chain((0..2).map(|number| self.network_scope(number))) {
            self.engine.remove_scope(&scope).await.expect("remove_scope");
            assert!(self.observe(&scope).await.objects.is_empty(), "{scope} is not empty after its removal");
        }
    }
}

fn step_name(step: &Step) -> &'static str {
    match step {
        Step::Create(_) => "create",
        Step::Update(_) => "update",
        Step::Delete(_) => "delete",
    }
}

fn net(text: &str) -> IpNet {
    text.parse().expect("a constant")
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("a constant")
}
