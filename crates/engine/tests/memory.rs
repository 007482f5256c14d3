//! The memory engine keeps the contract of engines.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use causeway_engine::MemoryEngine;
use causeway_engine::contract::{Fixture, run_all};

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
