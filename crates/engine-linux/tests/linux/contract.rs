//! The Linux engine keeps the contract of engines, with real namespaces, charon and packets.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use causeway_engine::contract::{Fixture, run_all};

fn public(last: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, last).into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keeps_the_contract() {
    let Some(node) = crate::common::Node::start("ct").await else { return };
    let fixture = Fixture {
        engine: Arc::clone(node.engine()) as _,
        prefix: "t".into(),
        public: [1, 2, 3, 4, 5].map(public),
        patience: Duration::from_secs(30),
    };
    run_all(&fixture).await;
    drop(fixture);
    node.end().await;
}
