//! A gateway with two instances: when the tunnel of the first goes, the network's traffic takes the
//! second, on the node, without the control plane.

use std::net::IpAddr;
use std::time::Duration;

use crate::common::gateway::until;
use causeway_engine::Engine;
use causeway_engine_linux::LinuxEngine;
use causeway_lab::{HostSpec, Lab, Machine};
use causeway_model::{
    DhGroup, Dpd, DpdAction, Encryption, EspProposal, IkeProposal, IkeVersion, Initiation, Integrity, Secret,
    TrafficSelectors,
};
use causeway_plan::*;

/// Network and gateway `number`, 1 or 2: 10.`number`.0.0/16 with a subnet per instance.
#[derive(Clone, Copy)]
struct Side(u8);

fn ip(text: String) -> IpAddr {
    text.parse().unwrap()
}

impl Side {
    fn other(self) -> Self {
        Self(3 - self.0)
    }

    fn network(self) -> NetworkKey {
        NetworkKey::new(format!("n{}", self.0)).unwrap()
    }

    fn subnet(self, index: u8) -> SubnetKey {
        SubnetKey::new(format!("s{}{index}", self.0)).unwrap()
    }

    fn instance(self, index: u8) -> InstanceKey {
        InstanceKey { gateway: GatewayKey::new(format!("g{}", self.0)).unwrap(), index }
    }

    fn scope(self) -> Scope {
        Scope::Gateway(self.instance(0).gateway)
    }

    fn public_ip(self, index: u8) -> String {
        format!("192.0.2.{}{index}", self.0)
    }

    fn tunnel_key(self, index: u8) -> TunnelKey {
        TunnelKey { instance: self.instance(index), connection: ConnectionKey::new("c").unwrap() }
    }

    fn route_key(self) -> RouteKey {
        let destination = format!("10.{}.0.0/16", self.other().0).parse().unwrap();
        RouteKey { gateway: self.instance(0).gateway, network: self.network(), destination }
    }

    async fn make(self, engine: &LinuxEngine) {
        self.make_with(engine, (0..2).map(|index| self.tunnel(index)).collect()).await;
    }

    async fn make_with(self, engine: &LinuxEngine, tunnels: Vec<Tunnel>) {
        let cidr = format!("10.{}.0.0/16", self.0).parse().unwrap();
        let mut objects = vec![Object::Network(Network { key: self.network(), cidrs: vec![cidr] })];
        for index in 0..2 {
            objects.push(Object::Subnet(Subnet {
                key: self.subnet(index),
                network: self.network(),
                cidr: format!("10.{}.{index}.0/24", self.0).parse().unwrap(),
                router_ip: ip(format!("10.{}.{index}.253", self.0)),
            }));
            objects.push(Object::Instance(Instance {
                key: self.instance(index),
                network: self.network(),
                subnet: self.subnet(index),
                private_ip: ip(format!("10.{}.{index}.252", self.0)),
                subnet_cidr: format!("10.{}.{index}.0/24", self.0).parse().unwrap(),
                network_cidrs: vec![cidr],
                router_ip: ip(format!("10.{}.{index}.253", self.0)),
                public_ip: ip(self.public_ip(index)),
                bandwidth_mbps: None,
                inner_mtu: 1400,
                mss: MssClamp::Mtu,
            }));
        }
        objects.extend(tunnels.into_iter().map(|tunnel| Object::Tunnel(Box::new(tunnel))));
        let hops = (0..2).map(|index| NextHop {
            instance: self.instance(index),
            private_ip: ip(format!("10.{}.{index}.252", self.0)),
            tunnel: Some(self.tunnel_key(index)),
        });
        objects.push(Object::Route(Route { key: self.route_key(), next_hops: hops.collect() }));
        for object in objects {
            engine.apply(&Step::Create(object)).await.expect("create");
        }
    }

    fn tunnel(self, index: u8) -> Tunnel {
        Tunnel {
            key: self.tunnel_key(index),
            if_id: 1,
            remote: Some(ip(self.other().public_ip(index))),
            local_id: self.public_ip(index),
            remote_id: self.other().public_ip(index),
            psk: Secret::new("of both tunnels"),
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
                pfs_group: None,
                lifetime_s: 3_600,
                lifetime_bytes: None,
            },
            children: vec![TrafficSelectors::everything()],
            dpd: Some(Dpd { delay_s: 10, timeout_s: 30, action: DpdAction::Restart }),
            nat_traversal: true,
            initiation: if self.0 == 1 { Initiation::AtOnce } else { Initiation::ByPeer },
            routes: vec![format!("10.{}.0.0/16", self.other().0).parse().unwrap()],
            inner_address: None,
        }
    }

    async fn host(self, lab: &Lab) -> Machine {
        let spec = HostSpec {
            name: format!("h{}", self.0),
            network: self.network(),
            subnet: self.subnet(0),
            address: format!("10.{}.0.10/24", self.0).parse().unwrap(),
            router_ip: ip(format!("10.{}.0.253", self.0)),
        };
        lab.add_host(&spec).await.unwrap()
    }

    async fn until_by(self, engine: &LinuxEngine, index: u8) {
        until(engine, &self.scope(), &format!("routed by instance {index}"), |seen| {
            seen.routes.get(&self.route_key()) == Some(&self.instance(index))
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn traffic_moves_to_the_other_instance_and_back() {
    let Some(node) = crate::common::Node::start("fo").await else { return };
    let engine = node.engine();
    for side in [Side(2), Side(1)] {
        side.make(engine).await;
    }
    let lab = Lab::new(&node.config.node_tag, &node.config.run_dir);
    let near = Side(1).host(&lab).await;
    Side(2).host(&lab).await;
    for side in [Side(1), Side(2)] {
        until(engine, &side.scope(), "up with both tunnels", |seen| {
            (0..2).all(|index| {
                let status = seen.tunnels.get(&side.tunnel_key(index));
                status.is_some_and(|status| status.child == ChildState::Installed)
            })
        })
        .await;
        side.until_by(engine, 0).await;
    }

    let pinger = near.clone();
    let every = Duration::from_millis(10);
    let pings = tokio::spawn(async move { pinger.ping(ip("10.2.0.10".into()), 300, every).await.unwrap() });
    tokio::time::sleep(Duration::from_millis(500)).await;
    let first = ObjectKey::Tunnel(Side(2).tunnel_key(0));
    engine.apply(&Step::Delete(first)).await.unwrap();
    for side in [Side(1), Side(2)] {
        side.until_by(engine, 1).await;
    }
    let ping = pings.await.unwrap();
    let lost = ping.sent - ping.received;
    eprintln!("failover lost {lost} of {} pings, one every {every:?}", ping.sent);
    assert!(lost <= 30, "{ping:?}");

    engine.apply(&Step::Create(Object::Tunnel(Box::new(Side(2).tunnel(0))))).await.unwrap();
    for side in [Side(1), Side(2)] {
        side.until_by(engine, 0).await;
    }
    let ping = near.ping(ip("10.2.0.10".into()), 10, every).await.unwrap();
    assert!(ping.received >= 9, "{ping:?}");
    node.end().await;
}

/// Nothing is up, and only packets start a negotiation: each instance gets its turn until one has a peer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn traffic_finds_the_instance_whose_peer_is_there() {
    let Some(node) = crate::common::Node::start("ft").await else { return };
    let engine = node.engine();
    let (near, far) = (Side(1), Side(2));
    // The peer of the first knows of no tunnel.
    far.make_with(engine, vec![far.tunnel(1)]).await;
    let waiting = |index| Tunnel { initiation: Initiation::OnTraffic, ..near.tunnel(index) };
    near.make_with(engine, vec![waiting(0), waiting(1)]).await;
    let lab = Lab::new(&node.config.node_tag, &node.config.run_dir);
    let host = near.host(&lab).await;
    far.host(&lab).await;
    near.until_by(engine, 0).await;
    far.until_by(engine, 0).await;

    let every = Duration::from_millis(20);
    let ping = host.ping(ip("10.2.0.10".into()), 150, every).await.unwrap();
    eprintln!("first peer away: {ping:?}");
    assert!(ping.received >= 50, "{ping:?}");
    near.until_by(engine, 1).await;
    // The first one's peer comes and calls.
    let calling = Tunnel { initiation: Initiation::AtOnce, ..far.tunnel(0) };
    engine.apply(&Step::Create(Object::Tunnel(Box::new(calling)))).await.unwrap();
    near.until_by(engine, 0).await;
    far.until_by(engine, 0).await;
    let ping = host.ping(ip("10.2.0.10".into()), 10, every).await.unwrap();
    assert!(ping.received >= 9, "{ping:?}");
    node.end().await;
}
