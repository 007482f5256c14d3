//! Real packets: gateway to gateway, gateway to a stock strongSwan, and what is bought is what is measured.

use std::time::Duration;

use crate::common::gateway::{Peer, Place, until_up};
use crate::common::pair::{Pair, far_peer, near_peer, pair};
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
    // A stream, on a machine that others use.
    assert!(measured.mbps > 5.0, "{measured:?}");
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

/// A CHILD_SA is replaced whenever it carried so many bytes, without a gap, while a stream goes through it.
///
/// The stream ends after so many bytes, however long they take. It is no faster than leaves charon 0.24 s between the
/// limit at which it begins to rekey (nine tenths) and that at which the SA ends. A machine that keeps charon from its turn
/// for longer makes a gap, so one stream without any out of three counts: each has three rekeys at least.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rekeying_under_load_leaves_no_gap() {
    const LIFETIME_BYTES: u64 = 30_000_000;
    let Some(pair) = pair("pr", None).await else { return };
    let engine = pair.node.engine();
    for (place, peer) in [(Place(2), near_peer()), (Place(1), far_peer())] {
        let mut tunnel = place.tunnel(&peer, place.0 == 1);
        tunnel.esp.lifetime_bytes = Some(LIFETIME_BYTES);
        engine.apply(&Step::Update(Object::Tunnel(Box::new(tunnel)))).await.unwrap();
    }
    until_up(engine, &pair.near_end).await;
    let mut gaps = Vec::new();
    while gaps.len() < 3 && !gaps.iter().any(Option::is_none) {
        gaps.push(gap_in_a_stream(&pair).await);
        let seen = engine.observe(&Place(1).scope()).await.unwrap();
        let status = &seen.tunnels[&pair.near_end];
        // All of it took four CHILD_SAs at least, of which this is the last.
        assert!(status.bytes_out < LIFETIME_BYTES, "the CHILD_SA was never replaced: {status:?}");
    }
    assert!(gaps.iter().any(Option::is_none), "{gaps:#?}");
    pair.node.end().await;
}

/// Sends a stream, and says what of it was lost: told by TCP, and by the engines in user space.
async fn gap_in_a_stream(pair: &Pair) -> Option<String> {
    const STREAM_BYTES: u64 = 100_000_000;
    let paths = || [Place(1), Place(2)].map(|place| path_counters(pair, place));
    let (paths_before, needless_before) = (paths(), needless_segments(pair).await);
    let report = stream(pair, STREAM_BYTES, "100M").await;
    let sent = &report["end"]["sum_sent"];
    assert!(sent["bytes"].as_u64() >= Some(STREAM_BYTES), "{report:#}");
    let again = sent["retransmits"].as_u64().unwrap();
    let needless = needless_segments(pair).await - needless_before;
    eprintln!("{STREAM_BYTES} bytes: {again} segments sent again, {needless} of them needlessly");
    if again > needless {
        return Some(format!("{again} segments sent again, {needless} of them needlessly"));
    }
    if Engine::info(&**pair.node.engine()).data_plane == "uxfrm" {
        let paths = paths();
        for counter in ["no_state", "unknown_spi", "interface_full", "panics"] {
            let lost =
                paths_before.iter().zip(&paths).any(|(before, after)| before[counter] != after[counter]);
            if lost {
                return Some(format!("{counter}: {paths_before:?}, then {paths:?}"));
            }
        }
        assert!(paths[0]["sent"].as_u64() > Some(STREAM_BYTES / 1400), "{}", paths[0]);
    }
    None
}

/// Segments that TCP sent twice without need (tail loss probes), as receivers have reported duplicates so far.
async fn needless_segments(pair: &Pair) -> u64 {
    let argv = ["nstat", "-az", "TcpExtTCPDSACKRecv"];
    let counters = pair.near.exec(&argv, Duration::from_secs(10)).await.unwrap();
    counters.stdout.split_whitespace().find_map(|word| word.parse().ok()).unwrap_or(0)
}

/// The report of an iperf3 that sends so many bytes from the near host to the far one, at this rate.
async fn stream(pair: &Pair, bytes: u64, rate: &str) -> serde_json::Value {
    let _serving = pair.far.start(&["iperf3", "-s", "-1"]).unwrap();
    let (to, bytes) = (Place(2).host_ip().to_string(), bytes.to_string());
    let argv = ["iperf3", "-J", "-c", &to, "-n", &bytes, "-b", rate, "--connect-timeout", "3000"];
    for _ in 0..50 {
        let report = pair.near.exec(&argv, Duration::from_secs(120)).await.unwrap();
        // The server needs a moment until it listens.
        if !report.stdout.contains("unable to connect") {
            return serde_json::from_str(&report.stdout).unwrap();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("iperf3 does not listen");
}

/// What the gateway's engine in user space has counted for no SA; nothing where the kernel does it.
fn path_counters(pair: &Pair, place: Place) -> serde_json::Value {
    use std::io::{Read, Write};
    let instance = pair.node.config.run_dir.join("gateways").join(format!("g{}", place.0)).join("0");
    let Ok(mut socket) = std::os::unix::net::UnixStream::connect(instance.join("uxfrm.stats")) else {
        return serde_json::Value::Null;
    };
    socket.write_all(b"json\n").unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).unwrap();
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    report["path"].clone()
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
    // Its encryption is stock strongSwan's, and the machine may be anybody's: what is bought is measured above, alone.
    assert!(measured.mbps > 5.0, "{measured:?}");
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
    // By what they carry: several may leave as one, which the kernel cuts later.
    assert!(counters["out-esp-udp"].bytes + counters["out-esp"].bytes >= 9 * 84, "{counters:?}");
    node.end().await;
}
