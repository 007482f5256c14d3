//! How long a gateway instance takes from nothing to active, alone and 100 at once, and what it costs.
//!
//! `cargo run -p causeway-engine-linux --example creation -- [instances]` as root, after
//! `cargo build -p causeway-engine-linux`. Prints milliseconds and MiB.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use causeway_engine::Engine;
use causeway_engine_linux::{LinuxConfig, LinuxEngine, ShimCommand};
use causeway_model::{
    DhGroup, Dpd, DpdAction, Encryption, EspProposal, IkeProposal, IkeVersion, Initiation, Integrity, Secret,
    TrafficSelectors,
};
use causeway_plan::*;

fn instance(number: u32) -> Instance {
    Instance {
        key: InstanceKey { gateway: GatewayKey::new(format!("g{number}")).unwrap(), index: 0 },
        network: NetworkKey::new("n").unwrap(),
        subnet: SubnetKey::new("s").unwrap(),
        private_ip: format!("10.0.{}.{}", number / 200, 1 + number % 200).parse().unwrap(),
        subnet_cidr: "10.0.0.0/16".parse().unwrap(),
        network_cidrs: vec!["10.0.0.0/16".parse().unwrap()],
        router_ip: "10.0.255.253".parse().unwrap(),
        public_ip: format!("192.0.{}.{}", number / 200, 1 + number % 200).parse().unwrap(),
        bandwidth_mbps: Some(100),
        inner_mtu: 1400,
        mss: MssClamp::Mtu,
    }
}

async fn create(engine: &LinuxEngine, number: u32) -> Duration {
    let started = Instant::now();
    let object = Object::Instance(instance(number));
    let key = instance(number).key;
    let mut wake_ups = engine.watch();
    engine.apply(&Step::Create(object.clone())).await.expect("create");
    let scope = object.key().scope();
    loop {
        let seen = engine.observe(&scope).await.expect("observe");
        if seen.instances.get(&key) == Some(&InstanceHealth::Active) {
            return started.elapsed();
        }
        let _ = tokio::time::timeout(Duration::from_millis(500), wake_ups.recv()).await;
    }
}

fn tunnel(number: u32, peer: u32) -> Tunnel {
    Tunnel {
        key: TunnelKey { instance: instance(number).key, connection: ConnectionKey::new("c").unwrap() },
        if_id: 1,
        remote: Some(instance(peer).public_ip),
        local_id: instance(number).public_ip.to_string(),
        remote_id: instance(peer).public_ip.to_string(),
        psk: Secret::new("measured"),
        ike: IkeProposal {
            version: IkeVersion::V2,
            encryption: Encryption::Aes128Cbc,
            integrity: Integrity::Sha256,
            dh_group: DhGroup(14),
            lifetime_s: 86_400,
        },
        esp: EspProposal {
            encryption: Encryption::Aes128Cbc,
            integrity: Integrity::Sha256,
            pfs_group: Some(DhGroup(14)),
            lifetime_s: 86_400,
            lifetime_bytes: None,
        },
        children: vec![TrafficSelectors::everything()],
        dpd: Some(Dpd { delay_s: 10, timeout_s: 30, action: DpdAction::Restart }),
        nat_traversal: true,
        initiation: if number > peer { Initiation::AtOnce } else { Initiation::ByPeer },
        routes: vec!["172.16.0.0/16".parse().unwrap()],
        inner_address: None,
    }
}

/// A gateway with a tunnel to each of many others, made at once.
async fn connect_hub(engine: &Arc<LinuxEngine>, count: u32) {
    const HUB: u32 = 4;
    let started = Instant::now();
    let spokes = 5..5 + count;
    let tasks: Vec<_> = spokes
        .map(|spoke| {
            let engine = engine.clone();
            tokio::spawn(async move {
                for (number, peer, if_id) in [(HUB, spoke, 1_000 + spoke), (spoke, HUB, 2)] {
                    let mut tunnel = tunnel(number, peer);
                    tunnel.key.connection = ConnectionKey::new(format!("h{spoke}")).unwrap();
                    tunnel.if_id = if_id;
                    tunnel.routes = vec![format!("172.17.{}.0/24", peer % 250).parse().unwrap()];
                    engine.apply(&Step::Create(Object::Tunnel(Box::new(tunnel)))).await.expect("tunnel");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("task");
    }
    let applied = started.elapsed().as_millis();
    let mut wake_ups = engine.watch();
    loop {
        let seen = engine.observe(&Scope::Gateway(instance(HUB).key.gateway)).await.expect("observe");
        let up = seen.tunnels.values().filter(|status| status.child == ChildState::Installed).count();
        if up == count as usize {
            break;
        }
        let _ = tokio::time::timeout(Duration::from_millis(500), wake_ups.recv()).await;
    }
    println!(
        "{count} tunnels of one instance: applied in {applied} ms, up in {} ms",
        started.elapsed().as_millis()
    );
    let started = Instant::now();
    engine.observe(&Scope::Gateway(instance(HUB).key.gateway)).await.expect("observe");
    println!("observing them: {} ms", started.elapsed().as_millis());
}

/// Makes both ends of a tunnel and waits until both have it.
async fn connect(engine: &LinuxEngine, a: u32, b: u32) -> Duration {
    let started = Instant::now();
    let mut wake_ups = engine.watch();
    for (number, peer) in [(a, b), (b, a)] {
        let object = Object::Tunnel(Box::new(tunnel(number, peer)));
        engine.apply(&Step::Create(object)).await.expect("tunnel");
    }
    loop {
        let mut up = 0;
        for number in [a, b] {
            let seen = engine.observe(&Scope::Gateway(instance(number).key.gateway)).await.expect("observe");
            up += seen.tunnels.values().filter(|status| status.child == ChildState::Installed).count();
        }
        if up == 2 {
            return started.elapsed();
        }
        let _ = tokio::time::timeout(Duration::from_millis(500), wake_ups.recv()).await;
    }
}

async fn connect_pairs(engine: &Arc<LinuxEngine>, count: u32) {
    let mut alone: Vec<u128> = Vec::new();
    for number in [0, 2] {
        alone.push(connect(engine, number, number + 1).await.as_millis());
    }
    println!("one tunnel, both ends made until both have it: {alone:?} ms");
    let started = Instant::now();
    let pairs = (0..count / 2).map(|pair| (5 + 2 * pair, 6 + 2 * pair));
    let tasks: Vec<_> = pairs
        .map(|(a, b)| {
            let engine = engine.clone();
            tokio::spawn(async move { connect(&engine, a, b).await })
        })
        .collect();
    let pairs = tasks.len();
    for task in tasks {
        task.await.expect("task");
    }
    println!("{pairs} tunnels between them at once: {} ms", started.elapsed().as_millis());
}

/// MiB of memory that is in use on the machine.
fn used_mib() -> f64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let field = |name: &str| -> f64 {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or_default()
    };
    (field("MemTotal:") - field("MemAvailable:")) / 1024.0
}

#[tokio::main]
async fn main() {
    let count: u32 = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(100);
    let exe = std::env::current_exe().expect("own path");
    let shim: PathBuf = exe.parent().and_then(|p| p.parent()).expect("target").join("causeway-shim");
    let run_dir = std::env::temp_dir().join(format!("cwcreation{}", std::process::id()));
    let mut config = LinuxConfig::new("cr", ShimCommand { exe: shim, args: Vec::new() });
    config.run_dir = run_dir;
    let engine = Arc::new(LinuxEngine::start(config).await.expect("engine"));
    let network = Network { key: NetworkKey::new("n").unwrap(), cidrs: vec!["10.0.0.0/16".parse().unwrap()] };
    let subnet = Subnet {
        key: SubnetKey::new("s").unwrap(),
        network: network.key.clone(),
        cidr: "10.0.0.0/16".parse().unwrap(),
        router_ip: "10.0.255.253".parse().unwrap(),
    };
    engine.apply(&Step::Create(Object::Network(network))).await.expect("network");
    engine.apply(&Step::Create(Object::Subnet(subnet))).await.expect("subnet");
    let mut alone: Vec<u128> = Vec::new();
    for number in 0..5 {
        alone.push(create(&engine, number).await.as_millis());
    }
    alone.sort_unstable();
    println!("one instance to active, five in turn: {alone:?} ms, median {}", alone[2]);

    let before = used_mib();
    let started = Instant::now();
    let tasks: Vec<_> = (5..5 + count)
        .map(|number| {
            let engine = engine.clone();
            tokio::spawn(async move { create(&engine, number).await })
        })
        .collect();
    for task in tasks {
        task.await.expect("task");
    }
    println!("{count} instances at once: {} ms", started.elapsed().as_millis());
    tokio::time::sleep(Duration::from_secs(1)).await;
    println!("memory for each: {:.2} MiB", (used_mib() - before) / f64::from(count));
    connect_pairs(&engine, count).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    println!("memory for each with a tunnel: {:.2} MiB", (used_mib() - before) / f64::from(count));
    connect_hub(&engine, count).await;
    let started = Instant::now();
    engine.cleanup_all().await.expect("cleanup");
    println!("cleanup: {} ms", started.elapsed().as_millis());
}
