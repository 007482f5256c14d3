//! Traffic selectors: what a tunnel's children protect passes, nothing else does, and a child comes and goes without
//! its siblings noticing.

use std::time::Duration;

use causeway_engine::Engine;
use causeway_engine_linux::LinuxEngine;
use causeway_lab::{Lab, Machine};
use causeway_model::{IkeVersion, TrafficSelectors};
use causeway_plan::{ChildState, Object, Step, Tunnel, TunnelKey};

use crate::common::Node;
use crate::common::gateway::{Peer, Place, until, until_up};
use crate::common::pair::{far_peer, near_peer};

const LIMIT: Duration = Duration::from_secs(20);
const EVERY: Duration = Duration::from_millis(20);
/// Each host has these addresses of its subnet.
const LASTS: [u8; 3] = [10, 11, 12];

fn address(place: u8, last: u8) -> String {
    format!("10.{place}.1.{last}")
}

/// The near tunnel's child between two single addresses.
fn child(near: u8, far: u8) -> TrafficSelectors {
    let host = |place, last| format!("{}/32", address(place, last)).parse().unwrap();
    TrafficSelectors::pair(host(1, near), host(2, far))
}

fn every(nears: &[u8], fars: &[u8]) -> TrafficSelectors {
    let hosts = |place, lasts: &[u8]| {
        lasts.iter().map(|last| format!("{}/32", address(place, *last)).parse().unwrap()).collect()
    };
    TrafficSelectors { local: hosts(1, nears), remote: hosts(2, fars) }
}

struct World {
    node: Node,
    near: Machine,
    version: IkeVersion,
}

impl World {
    /// Two gateways with hosts of several addresses, and these children between them.
    async fn new(name: &str, version: IkeVersion, children: &[TrafficSelectors]) -> Option<Self> {
        let node = Node::start(name).await?;
        let lab = Lab::new(&node.config.node_tag, &node.config.run_dir);
        let mut hosts = Vec::new();
        for (place, peer) in [(Place(1), far_peer()), (Place(2), near_peer())] {
            place.make(node.engine(), None).await;
            let host = place.host(&lab).await;
            for last in &LASTS[1..] {
                let extra = format!("{}/24", address(place.0, *last));
                host.run(&["ip", "addr", "add", &extra, "dev", "eth0"], LIMIT).await.unwrap();
            }
            hosts.push(host);
            // Makes the network's route as well; the tunnel is replaced below.
            place.connect(node.engine(), &peer, false).await;
        }
        let world = Self { node, near: hosts.swap_remove(0), version };
        world.set(children).await;
        for place in [1, 2] {
            until_up(world.engine(), &world.tunnel(place, children).key).await;
        }
        Some(world)
    }

    fn engine(&self) -> &LinuxEngine {
        self.node.engine()
    }

    /// The tunnel of a place with these children, which are given as the near gateway has them.
    fn tunnel(&self, place: u8, children: &[TrafficSelectors]) -> Tunnel {
        let peer: Peer<'_> = if place == 1 { far_peer() } else { near_peer() };
        let mut tunnel = Place(place).tunnel(&peer, place == 1);
        tunnel.ike.version = self.version;
        let own = |child: &TrafficSelectors| if place == 1 { child.clone() } else { child.reversed() };
        tunnel.children = children.iter().map(own).collect();
        tunnel.routes = tunnel.children.iter().flat_map(|child| child.remote.clone()).collect();
        tunnel
    }

    async fn set_one(&self, place: u8, children: &[TrafficSelectors]) -> TunnelKey {
        let tunnel = self.tunnel(place, children);
        let key = tunnel.key.clone();
        self.engine().apply(&Step::Update(Object::Tunnel(Box::new(tunnel)))).await.unwrap();
        key
    }

    /// Gives both ends these children, the near one first, which calls the other.
    async fn set(&self, children: &[TrafficSelectors]) {
        for place in [1, 2] {
            self.set_one(place, children).await;
        }
    }

    /// How many of `count` pings between two addresses come back.
    async fn ping(&self, near: u8, far: u8, count: u32) -> u32 {
        pings(&self.near, near, far, count).await
    }

    /// Whether exactly these pairs of addresses reach each other.
    async fn assert_passes(&self, allowed: &[(u8, u8)]) {
        for near in LASTS {
            for far in LASTS {
                let passes = self.ping(near, far, 2).await > 0;
                assert_eq!(
                    passes,
                    allowed.contains(&(near, far)),
                    "from {near} to {far}, {:?}",
                    self.version
                );
            }
        }
    }
}

async fn pings(from: &Machine, near: u8, far: u8, count: u32) -> u32 {
    let [source, to] = [address(1, near), address(2, far)].map(|text| text.parse().unwrap());
    from.ping_from(Some(source), to, count, EVERY).await.unwrap().received
}

async fn pairs_pass_and_no_others(name: &str, version: IkeVersion) {
    let children = [child(10, 10), child(11, 11), child(10, 12)];
    let Some(world) = World::new(name, version, &children).await else { return };
    world.assert_passes(&[(10, 10), (11, 11), (10, 12)]).await;
    let dropped = world.engine().counters(&Place(1).instance()).await.unwrap()["forward-dropped"];
    assert!(dropped.packets >= 12, "the firewall saw what no child protects: {dropped:?}");
    world.node.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pairs_pass_and_no_others_with_ikev2() {
    pairs_pass_and_no_others("sv", IkeVersion::V2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pairs_pass_and_no_others_with_ikev1() {
    pairs_pass_and_no_others("sm", IkeVersion::V1Main).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_child_of_many_ranges_passes_their_product() {
    let Some(world) = World::new("sp", IkeVersion::V2, &[every(&[10, 11], &[10, 12])]).await else { return };
    world.assert_passes(&[(10, 10), (10, 12), (11, 10), (11, 12)]).await;
    world.node.end().await;
}

/// Neither child is inside the other: the kernel's sets would refuse the second as it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn children_that_cross_pass_what_either_has() {
    let net = |text: &str| text.parse().unwrap();
    let wide = TrafficSelectors::pair(net("10.1.1.0/24"), net("10.2.1.10/32"));
    let tall = TrafficSelectors::pair(net("10.1.1.10/32"), net("10.2.1.10/31"));
    let Some(world) = World::new("sx", IkeVersion::V2, &[wide, tall]).await else { return };
    world.assert_passes(&[(10, 10), (11, 10), (12, 10), (10, 11)]).await;
    world.node.end().await;
}

/// Pings between two addresses that stay all the while the children change.
async fn unnoticed(world: &World, changes: &[&[TrafficSelectors]], lost_max: u32) {
    let from = world.near.clone();
    let running = tokio::spawn(async move { pings(&from, 10, 10, 300).await });
    for children in changes {
        tokio::time::sleep(Duration::from_millis(700)).await;
        world.set(children).await;
        for place in [1, 2] {
            until_up(world.engine(), &world.tunnel(place, children).key).await;
        }
    }
    let received = running.await.unwrap();
    assert!(received + lost_max >= 300, "{received} of 300 pings, {:?}", world.version);
}

async fn a_changed_pair_is_not_noticed_by_the_others(name: &str, version: IkeVersion) {
    let Some(world) = World::new(name, version, &[child(10, 10), child(11, 11)]).await else { return };
    let key = world.tunnel(1, &[]).key;
    let since = world.engine().observe(&Place(1).scope()).await.unwrap().tunnels[&key].since;
    let (exchanged, more, fewer) =
        ([child(10, 10), child(12, 11)], [child(10, 10), child(12, 11), child(11, 12)], [child(10, 10)]);
    unnoticed(&world, &[&exchanged, &more, &fewer], 0).await;
    world.assert_passes(&[(10, 10)]).await;
    world.set(&exchanged).await;
    until_up(world.engine(), &key).await;
    world.assert_passes(&[(10, 10), (12, 11)]).await;
    assert_ne!(world.engine().observe(&Place(1).scope()).await.unwrap().tunnels[&key].since, since);
    world.node.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_pair_is_not_noticed_by_the_others_with_ikev2() {
    a_changed_pair_is_not_noticed_by_the_others("sc", IkeVersion::V2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_pair_is_not_noticed_by_the_others_with_ikev1() {
    a_changed_pair_is_not_noticed_by_the_others("s1", IkeVersion::V1Main).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_ranges_in_the_one_child_come_without_a_gap_for_those_that_were_there() {
    let Some(world) = World::new("sw", IkeVersion::V2, &[every(&[10], &[10])]).await else { return };
    // The one child is replaced by another, four times. The end that answers sends with the new one as soon as it has
    // answered, and a packet may overtake the answer.
    unnoticed(&world, &[&[every(&[10, 11], &[10])], &[every(&[10, 11], &[10, 12])]], 4).await;
    world.assert_passes(&[(10, 10), (10, 12), (11, 10), (11, 12)]).await;
    world.node.end().await;
}

/// The peer lacks one of the pairs: the tunnel says so, the others pass.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tunnel_that_is_up_in_part_says_how_much() {
    let Some(world) = World::new("sh", IkeVersion::V2, &[child(10, 10)]).await else { return };
    let key = world.set_one(1, &[child(10, 10), child(11, 11)]).await;
    let partial = ChildState::Partial { installed: 1, of: 2 };
    until(world.engine(), &Place(1).scope(), "up in part, with the reason", |seen| {
        seen.tunnels.get(&key).is_some_and(|status| status.child == partial && status.last_error.is_some())
    })
    .await;
    world.assert_passes(&[(10, 10)]).await;
    world.set_one(2, &[child(10, 10), child(11, 11)]).await;
    until_up(world.engine(), &key).await;
    world.assert_passes(&[(10, 10), (11, 11)]).await;
    world.node.end().await;
}
