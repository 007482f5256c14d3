//! A customer's site behind a NAT router: traffic both ways, and a router that gives the site another port.

use std::time::{Duration, Instant};

use causeway_engine_linux::LinuxEngine;
use causeway_lab::{Lab, SiteSpec};

use crate::common::Answered;
use crate::common::gateway::{PATIENCE, Peer, Place, until_up};

const EVERY: Duration = Duration::from_millis(50);
/// The site's own address, and the router's, which is all that the gateway sees.
const SITE: &str = "198.51.100.9";
const ROUTER: &str = "203.0.113.77";

/// Lets the fabric's router translate the site's address to its own, and port 4500 to this one. Without a table of
/// connections, so that other rules are a router that has forgotten what it translated before.
async fn translate(engine: &LinuxEngine, port: u16) {
    let rules = format!(
        "table ip cwnat {{ }}
        delete table ip cwnat
        table ip cwnat {{
            chain out {{ type filter hook postrouting priority 100;
                ip saddr {SITE} udp sport 4500 udp sport set {port} ip saddr set {ROUTER};
                ip saddr {SITE} ip saddr set {ROUTER}; }}
            chain in {{ type filter hook prerouting priority -300;
                ip daddr {ROUTER} udp dport {port} udp dport set 4500 ip daddr set {SITE};
                ip daddr {ROUTER} udp dport 500 ip daddr set {SITE}; }}
        }}\n"
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), rules).unwrap();
    let fabric = engine.fabric().name().to_owned();
    let run = async |argv: &[&str]| {
        let all = [&["netns", "exec", &fabric], argv].concat();
        let output = tokio::process::Command::new("ip").args(&all).output().await.unwrap();
        assert!(output.status.success(), "{argv:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    run(&["nft", "-f", &file.path().display().to_string()]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_behind_nat_is_reached_and_follows_its_router() {
    let Some(node) = crate::common::Node::start("nt").await else { return };
    let (engine, place) = (node.engine(), Place(1));
    place.make(engine, None).await;
    let lab = Lab::new(&node.config.node_tag, &node.config.run_dir);
    let host = place.host(&lab).await;
    let spec = SiteSpec {
        name: "site".into(),
        public_ip: SITE.parse().unwrap(),
        router: "172.16.9.1/24".parse().unwrap(),
        host_ip: "172.16.9.10".parse().unwrap(),
        libipsec: true,
    };
    let site = lab.add_site(&spec).await.unwrap();
    translate(engine, 40_001).await;
    let mut tunnel = place.tunnel(&Peer::new(ROUTER, "172.16.9.0/24"), false);
    tunnel.remote_id = "site.example".into();
    let key = place.connect(engine, &Peer::new(ROUTER, "172.16.9.0/24"), false).await;
    engine_update(engine, tunnel).await;
    let conf = format!(
        "connections {{ cloud {{
            local_addrs = {SITE}
            remote_addrs = 192.0.2.1
            proposals = aes128-sha256-modp2048
            local {{ auth = psk
                id = site.example }}
            remote {{ auth = psk
                id = 192.0.2.1 }}
            children {{ net {{
                local_ts = 172.16.9.0/24
                remote_ts = 10.1.0.0/16
                esp_proposals = aes128gcm16-modp2048
                start_action = start
            }} }}
        }} }}
        secrets {{ ike-cloud {{ secret = \"between the gateways\" }} }}\n"
    );
    site.load(&conf).await.unwrap();
    until_up(engine, &key).await;
    // The site has called: it has its SAs when the gateway's answer has come.
    site.host.until_answered(place.host_ip()).await;
    let out = site.host.ping(place.host_ip(), 5, EVERY).await.unwrap();
    let back = host.ping("172.16.9.10".parse().unwrap(), 5, EVERY).await.unwrap();
    assert_eq!((out.received, back.received), (5, 5), "{out:?} {back:?}\n{}", site.log().unwrap());

    // The router forgets its table, as one that was restarted does, and gives another port. The site's next packet
    // shows it to the gateway, which has to send there.
    translate(engine, 40_002).await;
    let flushed = Instant::now();
    loop {
        let out = site.host.ping(place.host_ip(), 3, EVERY).await.unwrap();
        if out.received == 3 {
            break;
        }
        assert!(flushed.elapsed() < PATIENCE, "the gateway sends to the old port: {out:?}");
    }
    eprintln!("a site behind NAT was found again after {:?}", flushed.elapsed());
    let back = host.ping("172.16.9.10".parse().unwrap(), 5, EVERY).await.unwrap();
    assert_eq!(back.received, 5, "{back:?}");
    node.end().await;
}

async fn engine_update(engine: &LinuxEngine, tunnel: causeway_plan::Tunnel) {
    use causeway_engine::Engine;
    let object = causeway_plan::Object::Tunnel(Box::new(tunnel));
    engine.apply(&causeway_plan::Step::Update(object)).await.unwrap();
}
