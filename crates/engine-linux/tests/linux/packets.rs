//! Real packets: gateway to gateway, gateway to a stock strongSwan, and what is bought is what is measured.

use std::time::Duration;

use crate::common::gateway::{Peer, Place, until_up};
use crate::common::pair::{far_peer, near_peer, pair};
use causeway_engine::Engine;
use causeway_lab::{Lab, Machine, Protocol, SiteSpec};
use causeway_model::{Encryption, Integrity};
use causeway_plan::{Object, Step};

const EVERY: Duration = Duration::from_millis(50);

async fn ping_gets_through(from: &Machine, to: Place) {
    let ping = from.ping(to.host_ip(), 10, EVERY).await.unwrap();
    assert!(ping.received >= 9, "{ping:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_gateways_carry_traffic_between_their_networks() {
    let Some(pair) = pair("pg", None).await else { return };
    ping_gets_through(&pair.near, Place(2)).await;
    ping_gets_through(&pair.far, Place(1)).await;
    let tcp = Protocol::Tcp { streams: 2 };
    let measured = pair.near.iperf(&pair.far, Place(2).host_ip(), tcp, 2, false).await.unwrap();
    eprintln!("gateway to gateway, two TCP streams: {measured:?}");
    assert!(measured.mbps > 100.0, "{measured:?}");
    let seen = pair.node.engine().observe(&Place(1).scope()).await.unwrap();
    let status = seen.tunnels.values().next().unwrap();
    assert!(status.bytes_out > 1_000_000 && status.packets_in > 100, "{status:?}");

    // What left and came in by the public leg was ESP, and IKE before it; nothing else tried to.
    let counters = pair.node.engine().counters(&Place(1).instance()).await.unwrap();
    let bytes = |name: &str| counters[name].bytes;
    assert!(bytes("out-esp-udp") + bytes("out-esp") > status.bytes_out, "{counters:#?}");
    assert!(bytes("in-esp-udp") + bytes("in-esp") > status.bytes_in, "{counters:#?}");
    assert!(bytes("out-ike") + bytes("out-ike-nat-t") < 10_000, "{counters:#?}");
    assert_eq!(bytes("output-dropped") + bytes("forward-dropped"), 0, "{counters:#?}");
    assert!(bytes("to-tunnels") > 1_000_000 && bytes("from-tunnels") > 1_000, "{counters:#?}");
    pair.node.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bought_bandwidth_is_measured_bandwidth() {
    let Some(pair) = pair("pb", Some(1)).await else { return };
    for mbps in [5, 100, 500] {
        // An upgrade of a gateway that is in use.
        for place in [Place(1), Place(2)] {
            let object = Object::Instance(place.object(Some(mbps)));
            pair.node.engine().apply(&Step::Update(object)).await.unwrap();
        }
        for reverse in [false, true] {
            // A busy machine may keep a stream from its rate, so one good measurement out of three counts.
            // More than was bought is never good.
            let mut seen = Vec::new();
            let near_enough = |measured: &f64| (0.95..=1.05).contains(&(measured / f64::from(mbps)));
            while seen.len() < 3 && !seen.iter().any(near_enough) {
                let tcp = Protocol::Tcp { streams: 1 };
                let to = Place(2).host_ip();
                let measured = pair.near.iperf(&pair.far, to, tcp, 4, reverse).await.unwrap();
                assert!(measured.mbps <= 1.05 * f64::from(mbps), "bought {mbps}, measured {measured:?}");
                seen.push(measured.mbps);
            }
            eprintln!("bought {mbps} Mbit/s, reverse {reverse}: {seen:?}");
            assert!(seen.iter().any(near_enough), "bought {mbps}, measured {seen:?}");
        }
    }
    pair.node.end().await;
}

/// A CHILD_SA is replaced under full load whenever it carried so many bytes, without a gap.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rekeying_under_load_leaves_no_gap() {
    let Some(pair) = pair("pr", None).await else { return };
    let engine = pair.node.engine();
    let tcp = Protocol::Tcp { streams: 1 };
    let bytes = |mbps: f64, seconds: u32| (mbps * 1e6 / 8.0 * f64::from(seconds)) as u64;
    // Of this machine's speed: a slower one replaces as often.
    let before = pair.near.iperf(&pair.far, Place(2).host_ip(), tcp, 2, false).await.unwrap();
    let lifetime_bytes = bytes(before.mbps, 4);
    for (place, peer) in [(Place(2), near_peer()), (Place(1), far_peer())] {
        let mut tunnel = place.tunnel(&peer, place.0 == 1);
        tunnel.esp.lifetime_bytes = Some(lifetime_bytes);
        engine.apply(&Step::Update(Object::Tunnel(Box::new(tunnel)))).await.unwrap();
    }
    let key = Place(1).tunnel(&far_peer(), true).key;
    until_up(engine, &key).await;
    let mut carried = 0;
    for _ in 0..5 {
        let measured = pair.near.iperf(&pair.far, Place(2).host_ip(), tcp, 6, false).await.unwrap();
        eprintln!("rekeyed every {lifetime_bytes} bytes: {measured:?}");
        // A gap of five milliseconds at each replacement would cost ten thousand.
        assert!(measured.retransmits.is_some_and(|count| count < 2_500), "{measured:?}");
        carried += bytes(measured.mbps, 6);
        if carried > lifetime_bytes * 3 / 2 {
            break;
        }
    }
    assert!(carried > lifetime_bytes * 3 / 2, "too slow to need rekeying: {carried} bytes");
    let seen = engine.observe(&Place(1).scope()).await.unwrap();
    let status = &seen.tunnels[&key];
    assert!(status.bytes_out < lifetime_bytes, "the CHILD_SA was never replaced: {status:?}");
    pair.node.end().await;
}

/// A packet that does not fit the tunnel and must not be cut is answered with the size that fits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_packet_too_big_for_the_tunnel_is_answered() {
    let Some(pair) = pair("pm", None).await else { return };
    let to = Place(2).host_ip().to_string();
    let limit = Duration::from_secs(10);
    let argv = ["ping", "-n", "-c", "2", "-i", "0.2", "-W", "1", "-M", "do", "-s", "1450", &to];
    let answer = pair.near.exec(&argv, limit).await.unwrap();
    assert!(answer.stdout.contains("mtu = 1400") || answer.stderr.contains("mtu=1400"), "{answer:?}");
    let argv = ["ping", "-n", "-c", "2", "-i", "0.2", "-W", "1", "-M", "do", "-s", "1372", &to];
    let fits = pair.near.exec(&argv, limit).await.unwrap();
    assert!(fits.status.success(), "1400 bytes with headers fit: {fits:?}");
    // Without the instruction not to cut it, it arrives in pieces.
    let ping =
        pair.near.exec(&["ping", "-n", "-c", "2", "-i", "0.2", "-s", "3000", &to], limit).await.unwrap();
    assert!(ping.status.success(), "{ping:?}");
    pair.node.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_with_stock_strongswan_reaches_the_network() {
    let Some(node) = crate::common::Node::start("ps").await else { return };
    let place = Place(1);
    place.make(node.engine(), Some(100)).await;
    let lab = Lab::new(&node.config.node_tag, &node.config.run_dir);
    let spec = SiteSpec {
        name: "site".into(),
        public_ip: "198.51.100.9".parse().unwrap(),
        router: "172.16.9.1/24".parse().unwrap(),
        host_ip: "172.16.9.10".parse().unwrap(),
        libipsec: true,
    };
    let site = lab.add_site(&spec).await.unwrap();
    site.load(
        "connections { cloud {
            local_addrs = 198.51.100.9
            remote_addrs = 192.0.2.1
            version = 2
            proposals = aes128-sha256-modp2048
            local { auth = psk }
            remote { auth = psk }
            children { net {
                local_ts = 172.16.9.0/24
                remote_ts = 10.1.0.0/16
                esp_proposals = aes256-sha256-modp2048
            } }
        } }
        secrets { ike-cloud { secret = \"with the site\" } }\n",
    )
    .await
    .unwrap();
    let peer = Peer {
        connection: "site",
        if_id: 3,
        address: "198.51.100.9",
        cidr: "172.16.9.0/24",
        psk: "with the site",
        encryption: Encryption::Aes256Cbc,
        integrity: Integrity::Sha256,
    };
    let tunnel = place.connect(node.engine(), &peer, true).await;
    until_up(node.engine(), &tunnel).await;
    let host = place.host(&lab).await;
    ping_gets_through(&site.host, place).await;
    let ping = host.ping("172.16.9.10".parse().unwrap(), 10, EVERY).await.unwrap();
    assert!(ping.received >= 9, "{ping:?}");
    let tcp = Protocol::Tcp { streams: 1 };
    let measured = site.host.iperf(&host, place.host_ip(), tcp, 3, false).await.unwrap();
    eprintln!("site to network at 100 Mbit/s: {measured:?}");
    assert!(measured.mbps > 80.0, "{measured:?}");
    node.end().await;
}

/// The same with public addresses of IPv6, given to gateways that had others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_meet_over_ipv6() {
    let Some(node) = crate::common::Node::start("p6").await else { return };
    let engine = node.engine();
    let address = |place: Place| format!("2001:db8::{}", place.0);
    let (one, two) = (Place(1), Place(2));
    for place in [one, two] {
        place.make(engine, None).await;
        let mut instance = place.object(None);
        instance.public_ip = address(place).parse().unwrap();
        engine.apply(&Step::Update(Object::Instance(instance))).await.unwrap();
    }
    for (place, other) in [(two, one), (one, two)] {
        let (to, cidr) = (address(other), other.cidr());
        let peer = Peer { address: &to, cidr: &cidr, ..Peer::new("", "") };
        let mut tunnel = place.tunnel(&peer, place.0 == 1);
        tunnel.local_id = address(place);
        let key = tunnel.key.clone();
        place.connect(engine, &peer, place.0 == 1).await;
        engine.apply(&Step::Update(Object::Tunnel(Box::new(tunnel)))).await.unwrap();
        if place.0 == 1 {
            until_up(engine, &key).await;
        }
    }
    let lab = Lab::new(&node.config.node_tag, &node.config.run_dir);
    let near = one.host(&lab).await;
    two.host(&lab).await;
    ping_gets_through(&near, two).await;
    let counters = engine.counters(&one.instance()).await.unwrap();
    assert!(counters["out-esp-udp"].packets + counters["out-esp"].packets >= 9, "{counters:?}");
    node.end().await;
}
