//! Tunnels that wait for traffic: nothing is negotiated before a packet needs it, and whatever ends the SAs, the next
//! packet brings them back.

use std::time::{Duration, Instant};

use causeway_engine::Engine;
use causeway_engine_linux::LinuxEngine;
use causeway_lab::{Lab, Machine, Ping};
use causeway_model::{DpdAction, IkeVersion, Initiation, TrafficSelectors};
use causeway_plan::{ChildState, IkeState, Object, ObjectKey, Step, Tunnel, TunnelKey, TunnelStatus};

use crate::common::Node;
use crate::common::gateway::{Place, until, until_up};
use crate::common::pair::{far_peer, near_peer};

const EVERY: Duration = Duration::from_millis(20);
/// In which a tunnel that should not come up by itself would have.
const A_WHILE: Duration = Duration::from_secs(2);

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
    let (near, far) = (world.tunnel(1), world.tunnel(2));
    for tunnel in [&near, &far] {
        world.set(tunnel).await;
    }
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

/// A dead peer, and a charon that dies: in both cases the data plane may hold SAs that nobody knows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_peer_and_a_dead_charon_leave_the_trap() {
    let Some(world) = World::new("td", IkeVersion::V2).await else { return };
    let (near, far) = (world.tunnel(1), world.tunnel(2));
    for tunnel in [&near, &far] {
        world.set(tunnel).await;
    }
    assert!(world.ping(50).await.received >= 40);
    up(&world, &near.key).await;

    // What was up when charon died comes back without traffic.
    let charon = |place: u8| {
        let engine = world.engine();
        async move { engine.charon_pid(&Place(place).instance()).await.ok().flatten() }
    };
    let before = charon(1).await.unwrap();
    kill(before, libc::SIGKILL);
    while charon(1).await.is_none_or(|pid| pid == before) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    up(&world, &near.key).await;
    assert!(world.ping(20).await.received >= 18);

    // A peer that hangs is found dead; the trap stays, and a packet calls the peer that is back.
    let hung = charon(2).await.unwrap();
    kill(hung, libc::SIGSTOP);
    let stopped = Instant::now();
    while world.status(1).await.child != ChildState::Down {
        assert!(stopped.elapsed() < Duration::from_secs(60), "the dead peer is not noticed");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    eprintln!("dead peer noticed after {:?}", stopped.elapsed());
    while charon(2).await.is_none_or(|pid| pid == hung) {
        assert!(stopped.elapsed() < Duration::from_secs(90), "charon still hangs");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    until(world.engine(), &Place(2).scope(), "loaded", |seen| seen.tunnels.contains_key(&far.key)).await;
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
    let (near, far) = (world.tunnel(1), world.tunnel(2));
    for tunnel in [&near, &far] {
        world.set(tunnel).await;
    }
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
