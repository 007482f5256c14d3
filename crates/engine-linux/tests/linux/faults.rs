//! What breaks under traffic: charon, the control plane, a tunnel of a gateway with two instances.

use std::time::{Duration, Instant};

use crate::common::gateway::{PATIENCE, Peer, Place, until, until_up};
use crate::common::pair::pair;
use crate::common::parent;
use causeway_engine::Engine;
use causeway_lab::{Lab, Machine, Ping, SiteSpec};
use causeway_plan::{ChildState, Observed, TunnelError};

const EVERY: Duration = Duration::from_millis(20);

/// Pings the far host all the while for so many seconds.
fn pinging(from: &Machine, seconds: u32) -> tokio::task::JoinHandle<Ping> {
    let from = from.clone();
    let count = seconds * 1_000 / u32::try_from(EVERY.as_millis()).unwrap();
    tokio::spawn(async move { from.ping(Place(2).host_ip(), count, EVERY).await.unwrap() })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_control_plane_drops_no_packet() {
    let Some(mut pair) = pair("fr", None).await else { return };
    let pings = pinging(&pair.near, 4);
    tokio::time::sleep(Duration::from_secs(1)).await;
    pair.node.restart().await;
    let ping = pings.await.unwrap();
    assert_eq!(ping.received, ping.sent, "{ping:?}");
    until_up(pair.node.engine(), &pair.near_end).await;
    pair.node.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_charon_brings_its_tunnels_back() {
    let Some(pair) = pair("fk", None).await else { return };
    let engine = pair.node.engine();
    for place in [Place(1), Place(2)] {
        let before = engine.charon_pid(&place.instance()).await.unwrap().expect("a charon");
        let pings = pinging(&pair.near, 6);
        tokio::time::sleep(Duration::from_millis(500)).await;
        // SAFETY: kill takes two integers; the process is one that this test's engine started.
        assert_eq!(unsafe { libc::kill(before.try_into().unwrap(), libc::SIGKILL) }, 0);
        let killed = Instant::now();
        let key = if place.0 == 1 { &pair.near_end } else { &pair.far_end };
        while engine.charon_pid(&place.instance()).await.unwrap_or(None).is_none_or(|pid| pid == before) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if place.0 == 1 {
            // This side calls again by itself; the other one is found dead by its peer's checks.
            until_up(engine, key).await;
            eprintln!("charon {} killed: up again after {:?}", place.0, killed.elapsed());
        }
        let ping = pings.await.unwrap();
        eprintln!("charon {} killed: {ping:?}", place.0);
        assert!(f64::from(ping.received) >= 0.9 * f64::from(ping.sent), "{ping:?}");
    }
    pair.node.end().await;
}

/// A daemon that hangs is worse than one that is dead: it has to be found out and replaced.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hanging_charon_is_replaced() {
    let Some(pair) = pair("fh", None).await else { return };
    let engine = pair.node.engine();
    let before = engine.charon_pid(&Place(1).instance()).await.unwrap().expect("a charon");
    // SAFETY: kill takes two integers; the process is one that this test's engine started.
    assert_eq!(unsafe { libc::kill(before.try_into().unwrap(), libc::SIGSTOP) }, 0);
    let stopped = Instant::now();
    while engine.charon_pid(&Place(1).instance()).await.unwrap_or(None).is_none_or(|pid| pid == before) {
        assert!(stopped.elapsed() < 2 * PATIENCE, "charon still hangs");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    until_up(engine, &pair.near_end).await;
    eprintln!("charon hung: up again after {:?}", stopped.elapsed());
    let ping = pair.near.ping(Place(2).host_ip(), 10, EVERY).await.unwrap();
    assert!(ping.received >= 9, "{ping:?}");
    pair.node.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_keeper_brings_its_tunnels_back() {
    let Some(pair) = pair("fs", None).await else { return };
    let engine = pair.node.engine();
    let before = engine.charon_pid(&Place(1).instance()).await.unwrap().expect("a charon");
    // SAFETY: kill takes two integers; the process is one that this test's engine started.
    assert_eq!(unsafe { libc::kill(i32::try_from(parent(before)).unwrap(), libc::SIGKILL) }, 0);
    let killed = Instant::now();
    let is_new = |seen: &Observed| {
        seen.tunnels.get(&pair.near_end).is_some_and(|status| status.child == ChildState::Installed)
    };
    while engine.charon_pid(&Place(1).instance()).await.unwrap_or(None).is_none_or(|pid| pid == before) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    until(engine, &Place(1).scope(), "up with a new keeper", is_new).await;
    eprintln!("keeper killed: up again after {:?}", killed.elapsed());
    let ping = pair.near.ping(Place(2).host_ip(), 10, EVERY).await.unwrap();
    assert!(ping.received >= 9, "{ping:?}");
    pair.node.end().await;
}

/// While a keeper hangs packets pass; it is replaced before a key has to be exchanged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hanging_keeper_is_replaced() {
    let Some(pair) = pair("fw", None).await else { return };
    let engine = pair.node.engine();
    let before = engine.charon_pid(&Place(1).instance()).await.unwrap().expect("a charon");
    // SAFETY: kill takes two integers; the process is one that this test's engine started.
    assert_eq!(unsafe { libc::kill(i32::try_from(parent(before)).unwrap(), libc::SIGSTOP) }, 0);
    let stopped = Instant::now();
    let ping = pinging(&pair.near, 4).await.unwrap();
    assert_eq!(ping.received, ping.sent, "{ping:?}");
    while engine.charon_pid(&Place(1).instance()).await.unwrap_or(None).is_none_or(|pid| pid == before) {
        assert!(stopped.elapsed() < 3 * PATIENCE, "the keeper still hangs");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    until_up(engine, &pair.near_end).await;
    eprintln!("keeper hung: up again after {:?}", stopped.elapsed());
    let ping = pair.near.ping(Place(2).host_ip(), 10, EVERY).await.unwrap();
    assert!(ping.received >= 9, "{ping:?}");
    pair.node.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tunnel_that_is_taken_away_carries_nothing_more() {
    let Some(pair) = pair("fd", None).await else { return };
    let engine = pair.node.engine();
    let key = causeway_plan::ObjectKey::Tunnel(pair.near_end.clone());
    engine.apply(&causeway_plan::Step::Delete(key)).await.unwrap();
    let ping = pair.near.ping(Place(2).host_ip(), 5, EVERY).await.unwrap();
    assert_eq!(ping.received, 0, "{ping:?}");
    let counters = engine.counters(&Place(1).instance()).await.unwrap();
    assert_eq!(counters["output-dropped"].packets, 0, "something tried to leave in clear");
    pair.node.end().await;
}

/// A site that loses its power says nothing: dead peer detection has to notice, and the gateway has to call
/// until it is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_peer_is_noticed_and_called_until_it_is_back() {
    let Some(node) = crate::common::Node::start("fp").await else { return };
    let (engine, place) = (node.engine(), Place(1));
    place.make(engine, None).await;
    let lab = Lab::new(&node.config.node_tag, &node.config.run_dir);
    let spec = SiteSpec {
        name: "site".into(),
        public_ip: "198.51.100.9".parse().unwrap(),
        router: "172.16.9.1/24".parse().unwrap(),
        host_ip: "172.16.9.10".parse().unwrap(),
        libipsec: true,
    };
    let conf = "connections { cloud {
            local_addrs = 198.51.100.9
            remote_addrs = 192.0.2.1
            proposals = aes128-sha256-modp2048
            local { auth = psk }
            remote { auth = psk }
            children { net {
                local_ts = 172.16.9.0/24
                remote_ts = 10.1.0.0/16
                esp_proposals = aes128gcm16-modp2048
            } }
        } }
        secrets { ike-cloud { secret = \"between the gateways\" } }\n";
    lab.add_site(&spec).await.unwrap().load(conf).await.unwrap();
    let key = place.connect(engine, &Peer::new("198.51.100.9", "172.16.9.0/24"), true).await;
    until_up(engine, &key).await;

    lab.delete("site").await.unwrap();
    let gone = Instant::now();
    let error = loop {
        assert!(gone.elapsed() < 2 * PATIENCE, "the tunnel still counts as up");
        let seen = engine.observe(&place.scope()).await.unwrap();
        let status = &seen.tunnels[&key];
        if status.child == ChildState::Down {
            break status.last_error;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    eprintln!("silent peer noticed after {:?}", gone.elapsed());
    assert_eq!(error, Some(TunnelError::PeerNotResponding));

    lab.add_site(&spec).await.unwrap().load(conf).await.unwrap();
    let back = Instant::now();
    until_up(engine, &key).await;
    eprintln!("up again {:?} after it was back", back.elapsed());
    node.end().await;
}
