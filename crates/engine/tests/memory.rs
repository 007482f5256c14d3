//! The memory engine keeps the contract of engines, and stays cheap with many gateways.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use causeway_engine::contract::{Fixture, run_all};
use causeway_engine::{Engine, MemoryEngine};
use causeway_plan::*;

fn public(last: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, last).into()
}

#[tokio::test]
async fn keeps_the_contract() {
    // Every reading of this clock is another time, so `since` shows any change of state.
    let ticks = AtomicU64::new(1);
    let engine = Arc::new(MemoryEngine::new(Arc::new(move || ticks.fetch_add(1, Ordering::Relaxed))));
    let fixture = Fixture {
        engine,
        prefix: "t".into(),
        public: [1, 2, 3, 4, 5].map(public),
        patience: Duration::from_secs(2),
    };
    run_all(&fixture).await;
}

fn instance(number: u32) -> Step {
    Step::Create(Object::Instance(Instance {
        key: InstanceKey { gateway: GatewayKey::new(format!("g{number}")).unwrap(), index: 0 },
        network: NetworkKey::new("n").unwrap(),
        subnet: SubnetKey::new("s").unwrap(),
        private_ip: IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + number)),
        subnet_cidr: "10.0.0.0/8".parse().unwrap(),
        network_cidrs: vec!["10.0.0.0/8".parse().unwrap()],
        router_ip: IpAddr::V4(Ipv4Addr::new(10, 255, 255, 253)),
        public_ip: IpAddr::V4(Ipv4Addr::from_bits(0x6400_0000 + number)),
        bandwidth_mbps: Some(10),
        inner_mtu: 1400,
        mss: MssClamp::Mtu,
    }))
}

async fn make(engine: &MemoryEngine, numbers: std::ops::Range<u32>) {
    for number in numbers {
        engine.apply(&instance(number)).await.unwrap();
    }
}

/// Time to observe and re-apply 1,000 gateways.
async fn thousand(engine: &MemoryEngine) -> Duration {
    let started = Instant::now();
    for number in 0..1_000 {
        let step = instance(number);
        let seen = engine.observe(&step.key().scope()).await.unwrap();
        assert_eq!(seen.objects.len(), 1);
        engine.apply(&step).await.unwrap();
    }
    started.elapsed()
}

#[tokio::test]
async fn a_scope_costs_the_same_among_100_000_gateways() {
    let engine = MemoryEngine::default();
    let cidr = "10.0.0.0/8".parse().unwrap();
    let network = Network { key: NetworkKey::new("n").unwrap(), cidrs: vec![cidr] };
    let subnet = Subnet {
        key: SubnetKey::new("s").unwrap(),
        network: network.key.clone(),
        cidr,
        router_ip: IpAddr::V4(Ipv4Addr::new(10, 255, 255, 253)),
    };
    engine.apply(&Step::Create(Object::Network(network))).await.unwrap();
    engine.apply(&Step::Create(Object::Subnet(subnet))).await.unwrap();
    make(&engine, 0..1_000).await;
    let few = thousand(&engine).await;
    make(&engine, 1_000..100_000).await;
    let many = thousand(&engine).await;
    // A hundred times the gateways: anything linear would be a hundred times slower. Caches and a busy
    // machine get a wide margin.
    assert!(many < few * 12 + Duration::from_millis(50), "{few:?} among 1,000, {many:?} among 100,000");
}
