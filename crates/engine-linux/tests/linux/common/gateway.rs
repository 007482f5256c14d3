//! Objects for labs: a network with one subnet and a gateway in it, by number.

use std::time::Duration;

use causeway_engine::Engine;
use causeway_engine_linux::LinuxEngine;
use causeway_lab::{HostSpec, Lab, Machine};
use causeway_model::{
    DhGroup, Dpd, DpdAction, Encryption, EspProposal, IkeProposal, IkeVersion, Integrity, Secret,
    TrafficSelectors,
};
use causeway_plan::*;

/// How long anything may take to become so.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A network 10.`number`.0.0/16 with subnet 10.`number`.1.0/24 and a gateway with the public address
/// 192.0.2.`number`.
#[derive(Debug, Clone, Copy)]
pub struct Place(pub u8);

impl Place {
    pub fn network(self) -> NetworkKey {
        NetworkKey::new(format!("n{}", self.0)).unwrap()
    }

    pub fn subnet(self) -> SubnetKey {
        SubnetKey::new(format!("s{}", self.0)).unwrap()
    }

    pub fn instance(self) -> InstanceKey {
        InstanceKey { gateway: GatewayKey::new(format!("g{}", self.0)).unwrap(), index: 0 }
    }

    pub fn scope(self) -> Scope {
        Scope::Gateway(self.instance().gateway)
    }

    pub fn cidr(self) -> String {
        format!("10.{}.0.0/16", self.0)
    }

    pub fn public_ip(self) -> String {
        format!("192.0.2.{}", self.0)
    }

    pub fn host_ip(self) -> std::net::IpAddr {
        format!("10.{}.1.10", self.0).parse().unwrap()
    }

    pub fn object(self, bandwidth_mbps: Option<u32>) -> Instance {
        Instance {
            key: self.instance(),
            network: self.network(),
            subnet: self.subnet(),
            private_ip: format!("10.{}.1.252", self.0).parse().unwrap(),
            subnet_cidr: format!("10.{}.1.0/24", self.0).parse().unwrap(),
            network_cidrs: vec![self.cidr().parse().unwrap()],
            router_ip: format!("10.{}.1.253", self.0).parse().unwrap(),
            public_ip: self.public_ip().parse().unwrap(),
            bandwidth_mbps,
            inner_mtu: 1400,
            mss: MssClamp::Mtu,
        }
    }

    pub async fn make(self, engine: &LinuxEngine, bandwidth_mbps: Option<u32>) {
        let cidrs = vec![self.cidr().parse().unwrap()];
        let router_ip = format!("10.{}.1.253", self.0).parse().unwrap();
        let subnet_cidr = format!("10.{}.1.0/24", self.0).parse().unwrap();
        let objects = [
            Object::Network(Network { key: self.network(), cidrs }),
            Object::Subnet(Subnet {
                key: self.subnet(),
                network: self.network(),
                cidr: subnet_cidr,
                router_ip,
            }),
            Object::Instance(self.object(bandwidth_mbps)),
        ];
        for object in objects {
            engine.apply(&Step::Create(object)).await.expect("create");
        }
        let key = self.instance();
        until(engine, &self.scope(), "active", |seen| {
            seen.instances.get(&key) == Some(&InstanceHealth::Active)
        })
        .await;
    }

    /// A tunnel to a peer.
    pub fn tunnel(self, peer: &Peer<'_>, initiate: bool) -> Tunnel {
        let key =
            TunnelKey { instance: self.instance(), connection: ConnectionKey::new(peer.connection).unwrap() };
        Tunnel {
            key,
            if_id: peer.if_id,
            remote: Some(peer.address.parse().unwrap()),
            local_id: self.public_ip(),
            remote_id: peer.address.into(),
            psk: Secret::new(peer.psk),
            ike: peer.ike(),
            esp: peer.esp(),
            children: vec![TrafficSelectors::pair(self.cidr().parse().unwrap(), peer.cidr.parse().unwrap())],
            dpd: Some(Dpd { delay_s: 10, timeout_s: 30, action: DpdAction::Restart }),
            nat_traversal: true,
            initiate,
            routes: vec![peer.cidr.parse().unwrap()],
            inner_address: None,
        }
    }

    /// Makes a tunnel to a peer, and the route of the network that leads to it.
    pub async fn connect(self, engine: &LinuxEngine, peer: &Peer<'_>, initiate: bool) -> TunnelKey {
        let tunnel = self.tunnel(peer, initiate);
        let key = tunnel.key.clone();
        engine.apply(&Step::Create(Object::Tunnel(Box::new(tunnel)))).await.expect("tunnel");
        self.route(engine, peer).await;
        key
    }

    /// Makes the network's route that leads to a peer.
    pub async fn route(self, engine: &LinuxEngine, peer: &Peer<'_>) {
        let route = Route {
            key: RouteKey {
                gateway: self.instance().gateway,
                network: self.network(),
                destination: peer.cidr.parse().unwrap(),
            },
            next_hops: vec![NextHop {
                instance: self.instance(),
                private_ip: format!("10.{}.1.252", self.0).parse().unwrap(),
                tunnel: Some(self.tunnel(peer, false).key),
            }],
        };
        engine.apply(&Step::Create(Object::Route(route))).await.expect("route");
    }

    pub async fn host(self, lab: &Lab) -> Machine {
        let spec = HostSpec {
            name: format!("h{}", self.0),
            network: self.network(),
            subnet: self.subnet(),
            address: format!("{}/24", self.host_ip()).parse().unwrap(),
            router_ip: format!("10.{}.1.253", self.0).parse().unwrap(),
        };
        lab.add_host(&spec).await.expect("host")
    }
}

/// The other end of a tunnel.
pub struct Peer<'a> {
    pub connection: &'a str,
    pub if_id: u32,
    pub address: &'a str,
    pub cidr: &'a str,
    pub psk: &'a str,
    pub encryption: Encryption,
    pub integrity: Integrity,
}

impl<'a> Peer<'a> {
    /// A peer with the usual algorithms.
    pub fn new(address: &'a str, cidr: &'a str) -> Self {
        Self {
            connection: "c",
            if_id: 7,
            address,
            cidr,
            psk: "between the gateways",
            encryption: Encryption::Aes128Gcm16,
            integrity: Integrity::Sha256,
        }
    }

    fn ike(&self) -> IkeProposal {
        IkeProposal {
            version: IkeVersion::V2,
            encryption: Encryption::Aes128Cbc,
            integrity: Integrity::Sha256,
            dh_group: DhGroup(14),
            lifetime_s: 86_400,
        }
    }

    fn esp(&self) -> EspProposal {
        EspProposal {
            encryption: self.encryption,
            integrity: self.integrity,
            pfs_group: Some(DhGroup(14)),
            lifetime_s: 3_600,
            lifetime_bytes: None,
        }
    }
}

/// Waits until a scope looks as expected.
pub async fn until(engine: &LinuxEngine, scope: &Scope, what: &str, expected: impl Fn(&Observed) -> bool) {
    let mut wake_ups = engine.watch();
    let looking = async {
        while !expected(&engine.observe(scope).await.expect("observe")) {
            let _ = tokio::time::timeout(Duration::from_millis(250), wake_ups.recv()).await;
        }
    };
    if tokio::time::timeout(PATIENCE, looking).await.is_err() {
        let seen = engine.observe(scope).await.expect("observe");
        panic!("{scope} is not {what}: {:?} {:#?}", seen.instances, seen.tunnels);
    }
}

pub async fn until_up(engine: &LinuxEngine, key: &TunnelKey) {
    let scope = Scope::Gateway(key.instance.gateway.clone());
    until(engine, &scope, &format!("up with {key}"), |seen| {
        seen.tunnels.get(key).is_some_and(|status| status.child == ChildState::Installed)
    })
    .await;
}
