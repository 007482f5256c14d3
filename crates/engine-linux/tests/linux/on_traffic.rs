//! Tunnels that wait for traffic: nothing is negotiated before a packet needs it, and whatever ends the SAs, the next
//! packet brings them back.

use std::time::{Duration, Instant};

use causeway_engine::Engine;
use causeway_engine_linux::LinuxEngine;
use causeway_lab::{Lab, Machine, Ping};
use causeway_model::{DpdAction, IkeVersion, Initiation, TrafficSelectors};
use causeway_plan::{
    ChildState, ConnectionKey, IkeState, Object, ObjectKey, Step, Tunnel, TunnelError, TunnelKey,
    TunnelStatus,
};

use crate::common::Node;
use crate::common::gateway::{Peer, Place, until, until_up};
use crate::common::pair::{far_peer, near_peer};

const EVERY: Duration = Duration::from_millis(20);
/// In which a tunnel that should not come up by itself would have.
const A_WHILE: Duration = Duration::from_secs(2);
/// A charon that hangs is found out after 30 s.
const CHARON_LIMIT: Duration = Duration::from_secs(90);

/// Two gateways with a host behind each. The near one waits for traffic, the far one for its peer.
struct World {
    node: Node,
    near: Machine,
    far: Machine,
    version: IkeVersion,
}

impl World {
    async fn new(name: &str, version: IkeVersion) -> Option<Self> {
        let node = Node::start(name).await?;
        let lab = Lab::new(&node.config.node_tag, &node.config.run_dir);
        let engine = node.engine();
        for (place, peer) in [(Place(1), far_peer()), (Place(2), near_peer())] {
            place.make(engine, None).await;
            place.route(engine, &peer).await;
        }
        let (near, far) = (Place(1).host(&lab).await, Place(2).host(&lab).await);
        Some(Self { node, near, far, version })
    }

    fn engine(&self) -> &LinuxEngine {
        self.node.engine()
    }

    fn tunnel(&self, place: u8) -> Tunnel {
        let peer = if place == 1 { far_peer() } else { near_peer() };
        let mut tunnel = Place(place).tunnel(&peer, false);
        tunnel.ike.version = self.version;
        if place == 1 {
            tunnel.initiation = Initiation::OnTraffic;
        }
        if let Some(dpd) = &mut tunnel.dpd {
            (dpd.delay_s, dpd.timeout_s, dpd.action) = (2, 6, DpdAction::Trap);
        }
        tunnel
    }

    async fn set(&self, tunnel: &Tunnel) {
        self.engine().apply(&Step::Update(Object::Tunnel(Box::new(tunnel.clone())))).await.unwrap();
    }

    /// Makes both ends, and gives the near one.
    async fn both(&self) -> Tunnel {
        for place in [1, 2] {
            self.set(&self.tunnel(place)).await;
        }
        self.tunnel(1)
    }

    async fn charon(&self, place: u8) -> Option<u32> {
        self.engine().charon_pid(&Place(place).instance()).await.ok().flatten()
    }

    async fn until_new_charon(&self, place: u8, old: u32) {
        let waiting = async {
            while self.charon(place).await.is_none_or(|pid| pid == old) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(CHARON_LIMIT, waiting).await.expect("a new charon");
    }

    async fn status(&self, place: u8) -> TunnelStatus {
        let seen = self.engine().observe(&Place(place).scope()).await.unwrap();
        seen.tunnels[&self.tunnel(place).key].clone()
    }

    async fn assert_nothing_was_tried(&self) {
        for place in [1, 2] {
            let status = self.status(place).await;
            assert_eq!(
                (status.ike, status.child, status.last_error),
                (IkeState::Down, ChildState::Down, None)
            );
        }
    }

    /// A burst of pings from one side; the first ones start the negotiation and are lost.
    async fn ping(&self, count: u32) -> Ping {
        self.near.ping(Place(2).host_ip(), count, EVERY).await.unwrap()
    }

    async fn until_down(&self, place: u8) {
        let key = self.tunnel(place).key;
        until(self.engine(), &Place(place).scope(), "down", |seen| {
            seen.tunnels.get(&key).is_some_and(|status| status.child == ChildState::Down)
        })
        .await;
    }
}

async fn up(world: &World, key: &TunnelKey) {
    until_up(world.engine(), key).await;
}

async fn traffic_starts_it(name: &str, version: IkeVersion) {
    let Some(world) = World::new(name, version).await else { return };
    let (near, far) = (world.both().await, world.tunnel(2));
    tokio::time::sleep(A_WHILE).await;
    world.assert_nothing_was_tried().await;
    // The other side waits for its peer: its packets start nothing.
    let ping = world.far.ping(Place(1).host_ip(), 5, EVERY).await.unwrap();
    assert_eq!(ping.received, 0, "{ping:?}");
    world.assert_nothing_was_tried().await;

    let began = Instant::now();
    let ping = world.ping(50).await;
    eprintln!("{version:?}: {ping:?}, first answer after at most {:?}", began.elapsed());
    assert!(ping.received >= 40, "{ping:?}");
    up(&world, &near.key).await;
    up(&world, &far.key).await;
    assert_eq!(world.status(1).await.last_error, None);

    // The peer forgets the tunnel, and takes it up again: the next packets start it anew.
    world.engine().apply(&Step::Delete(ObjectKey::Tunnel(far.key.clone()))).await.unwrap();
    world.until_down(1).await;
    world.set(&far).await;
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(world.status(1).await.child, ChildState::Down, "nobody sent anything");
    let ping = world.ping(50).await;
    assert!(ping.received >= 40, "after the peer closed: {ping:?}");
    world.node.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn traffic_starts_ikev2() {
    traffic_starts_it("t2", IkeVersion::V2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn traffic_starts_ikev1() {
    traffic_starts_it("t1", IkeVersion::V1Main).await;
}

/// What was up when charon died comes back without traffic, although the data plane still holds SAs that nobody knows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_charon_brings_back_what_was_up() {
    let Some(world) = World::new("tk", IkeVersion::V2).await else { return };
    let near = world.both().await;
    assert!(world.ping(50).await.received >= 40);
    up(&world, &near.key).await;
    let before = world.charon(1).await.unwrap();
    kill(before, libc::SIGKILL);
    world.until_new_charon(1, before).await;
    up(&world, &near.key).await;
    assert!(world.ping(20).await.received >= 18);

    // With the peer gone as well what was up can't come back; then its next packet calls.
    let (own, peers) = (world.charon(1).await.unwrap(), world.charon(2).await.unwrap());
    world.engine().apply(&Step::Delete(ObjectKey::Tunnel(world.tunnel(2).key))).await.unwrap();
    world.until_down(1).await;
    world.set(&world.tunnel(2)).await;
    assert!(world.ping(50).await.received >= 40);
    kill(peers, libc::SIGSTOP);
    kill(own, libc::SIGKILL);
    world.until_new_charon(1, own).await;
    tokio::time::sleep(A_WHILE).await;
    kill(peers, libc::SIGCONT);
    let ping = world.ping(400).await;
    assert!(ping.received >= 100, "{ping:?}");
    up(&world, &near.key).await;
    world.node.end().await;
}

/// A peer that hangs is found dead; the trap stays, and a packet calls the peer that is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_peer_leaves_the_trap() {
    let Some(world) = World::new("td", IkeVersion::V2).await else { return };
    let near = world.both().await;
    assert!(world.ping(50).await.received >= 40);
    up(&world, &near.key).await;
    let hung = world.charon(2).await.unwrap();
    kill(hung, libc::SIGSTOP);
    let stopped = Instant::now();
    while world.status(1).await.child != ChildState::Down {
        assert!(stopped.elapsed() < Duration::from_secs(60), "the dead peer is not noticed");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    eprintln!("dead peer noticed after {:?}", stopped.elapsed());
    world.until_new_charon(2, hung).await;
    let far = world.tunnel(2).key;
    until(world.engine(), &Place(2).scope(), "loaded", |seen| seen.tunnels.contains_key(&far)).await;
    let ping = world.ping(150).await;
    assert!(ping.received >= 40, "after the peer came back: {ping:?}");
    up(&world, &near.key).await;
    world.node.end().await;
}

fn kill(pid: u32, signal: i32) {
    // SAFETY: kill takes two integers; the process is one that this test's engine started.
    assert_eq!(unsafe { libc::kill(pid.try_into().unwrap(), signal) }, 0);
}

/// A charon that died while nothing was up has its traps again, and a change of the setting is followed both ways
/// without a packet lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn traps_come_back_and_follow_the_setting() {
    let Some(mut world) = World::new("tc", IkeVersion::V2).await else { return };
    let (near, far) = (world.both().await, world.tunnel(2));
    let before = world.engine().charon_pid(&Place(1).instance()).await.unwrap().unwrap();
    kill(before, libc::SIGKILL);
    until(world.engine(), &Place(1).scope(), "loaded again", |seen| seen.tunnels.contains_key(&near.key))
        .await;
    world.node.restart().await;
    until(world.engine(), &Place(1).scope(), "loaded", |seen| seen.tunnels.contains_key(&near.key)).await;
    tokio::time::sleep(A_WHILE).await;
    world.assert_nothing_was_tried().await;
    assert!(world.ping(50).await.received >= 40);
    up(&world, &near.key).await;

    let since = world.status(1).await.since;
    let pinger = world.near.clone();
    let pings = tokio::spawn(async move { pinger.ping(Place(2).host_ip(), 100, EVERY).await.unwrap() });
    for initiation in [Initiation::AtOnce, Initiation::ByPeer, Initiation::OnTraffic] {
        world.set(&Tunnel { initiation, ..near.clone() }).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let ping = pings.await.unwrap();
    assert_eq!(
        (ping.received, world.status(1).await.since),
        (ping.sent, since),
        "the change broke the tunnel"
    );

    // As last set: without a peer it goes down, and waits.
    world.engine().apply(&Step::Delete(ObjectKey::Tunnel(far.key.clone()))).await.unwrap();
    world.until_down(1).await;
    world.set(&far).await;
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(world.status(1).await.child, ChildState::Down);
    // And one that starts at once does.
    world.set(&Tunnel { initiation: Initiation::AtOnce, ..near.clone() }).await;
    up(&world, &near.key).await;
    world.node.end().await;
}

/// Traffic of one pair of ranges starts the tunnel, and the other pairs follow.
async fn several_children(name: &str, version: IkeVersion) {
    let Some(world) = World::new(name, version).await else { return };
    let host = |place: u8, last: u8| format!("10.{place}.1.{last}/32").parse().unwrap();
    let children: Vec<TrafficSelectors> =
        (10..13).map(|last| TrafficSelectors::pair(host(1, last), host(2, 10))).collect();
    let (mut near, mut far) = (world.tunnel(1), world.tunnel(2));
    far.children = children.iter().map(TrafficSelectors::reversed).collect();
    near.children = children;
    for tunnel in [&near, &far] {
        world.set(tunnel).await;
    }
    tokio::time::sleep(A_WHILE).await;
    world.assert_nothing_was_tried().await;
    let ping = world.ping(50).await;
    assert!(ping.received >= 40, "{ping:?}");
    up(&world, &near.key).await;
    up(&world, &far.key).await;
    world.node.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_children_of_ikev2() {
    several_children("m2", IkeVersion::V2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_children_of_ikev1() {
    several_children("m1", IkeVersion::V1Main).await;
}

/// Packets that come by one tunnel start the one they go on by; of two that lead to the same range, the one that their
/// source is for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_packet_between_tunnels_starts_the_next_one() {
    let Some(node) = Node::start("th").await else { return };
    let engine = node.engine();
    let lab = Lab::new(&node.config.node_tag, &node.config.run_dir);
    let mut hosts = Vec::new();
    for place in [1, 2, 3, 4].map(Place) {
        place.make(engine, None).await;
        hosts.push(place.host(&lab).await);
    }
    let range = |place: u8| Place(place).cidr().parse().unwrap();
    // The hub has tunnels to 2 and 3, and one to 4, which wants 3's range for the hub's own hosts.
    for (place, other, pairs, initiation) in [
        (1, 2, vec![(3, 2)], Initiation::ByPeer),
        (2, 1, vec![(2, 3)], Initiation::AtOnce),
        (1, 3, vec![(2, 3)], Initiation::OnTraffic),
        (3, 1, vec![(3, 2)], Initiation::ByPeer),
        (1, 4, vec![(1, 3)], Initiation::OnTraffic),
    ] {
        let (address, cidr) = (Place(other).public_ip(), Place(pairs[0].1).cidr());
        let connection = format!("c{}", place.max(other));
        let peer =
            Peer { connection: &connection, if_id: 20 + u32::from(other), ..Peer::new(&address, &cidr) };
        let tunnel = Tunnel {
            initiation,
            children: pairs
                .iter()
                .map(|(near, far)| TrafficSelectors::pair(range(*near), range(*far)))
                .collect(),
            ..Place(place).tunnel(&peer, false)
        };
        engine.apply(&Step::Create(Object::Tunnel(Box::new(tunnel)))).await.unwrap();
        if (place, other) != (1, 4) {
            Place(place).route(engine, &peer).await;
        }
    }
    let key = |place: u8, other: u8| TunnelKey {
        instance: Place(place).instance(),
        connection: ConnectionKey::new(format!("c{}", place.max(other))).unwrap(),
    };
    until_up(engine, &key(1, 2)).await;
    let child = async |other| {
        let seen = engine.observe(&Place(1).scope()).await.unwrap();
        seen.tunnels[&key(1, other)].child
    };
    assert_eq!(child(3).await, ChildState::Down);
    let ping = hosts[1].ping(Place(3).host_ip(), 50, EVERY).await.unwrap();
    assert!(ping.received >= 40, "{ping:?}");
    assert_eq!((child(3).await, child(4).await), (ChildState::Installed, ChildState::Down));
    let tried = async || engine.observe(&Place(1).scope()).await.unwrap().tunnels[&key(1, 4)].last_error;
    assert_eq!(tried().await, None, "nobody sent into the tunnel to 4");
    hosts[0].ping(Place(3).host_ip(), 20, EVERY).await.unwrap();
    assert_eq!(tried().await, Some(TunnelError::IkeProposalMismatch), "4 knows of no tunnel, and was asked");
    node.end().await;
}
