//! What is not there is not said to be there, and what is there is not looked at twice.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use causeway_engine::{Engine, MemoryEngine};
use causeway_model::fixtures::gateway;
use causeway_model::{GatewayId, GatewayState, Write};
use causeway_store::{MemoryStore, Store};

use crate::ground::{connection, eventually, ground, is_active, is_up, write};
use crate::watched::Watched;

/// A reboot, or somebody who took it away: the store says `active` from before, and must not go on saying so.
#[tokio::test]
async fn a_gateway_that_is_gone_is_not_active_until_it_is_there_again() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new().unwrap());
    let engine = Arc::new(Watched::default());
    let run = || {
        let run = causeway_reconcile::run(Arc::clone(&store), Arc::clone(&engine) as Arc<dyn Engine>);
        tokio::spawn(run)
    };
    let controller = run();
    write(&store, ground()).await;
    write(&store, [1, 2].map(|n| Write::Put(gateway(n).into()))).await;
    write(&store, connection(1, 2, "secret").into_iter().chain(connection(2, 1, "secret"))).await;
    eventually(&store, "up", |view| is_active(view, 1) && is_up(view, 1)).await;
    controller.abort();
    let _ = controller.await;
    let scope = causeway_reconcile::Item::Gateway(GatewayId(1)).scope();
    engine.remove_scope(&scope).await.unwrap();
    engine.holds_instances.store(true, Ordering::Relaxed);
    let controller = run();
    eventually(&store, "not active, and down", |view| {
        let state = view.gateway(GatewayId(1)).map(|gateway| gateway.state());
        state == Some(GatewayState::Updating) && !is_up(view, 1)
    })
    .await;
    engine.holds_instances.store(false, Ordering::Relaxed);
    eventually(&store, "up again", |view| is_active(view, 1) && is_up(view, 1)).await;
    controller.abort();
}

/// Between the start and the first run somebody may ask: what did not outlive the stop is taken back before.
#[tokio::test]
async fn a_first_look_takes_back_what_is_not_there_and_nothing_else() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new().unwrap());
    let engine: Arc<dyn Engine> = Arc::new(MemoryEngine::default());
    let controller = tokio::spawn(causeway_reconcile::run(Arc::clone(&store), Arc::clone(&engine)));
    write(&store, ground()).await;
    write(&store, [1, 2].map(|n| Write::Put(gateway(n).into()))).await;
    write(&store, connection(1, 2, "secret").into_iter().chain(connection(2, 1, "secret"))).await;
    eventually(&store, "up", |view| (1..=2).all(|n| is_active(view, n) && is_up(view, n))).await;
    controller.abort();
    let _ = controller.await;
    let locks: causeway_reconcile::Locks = Arc::new(|_| false);
    let before = store.view();
    causeway_reconcile::first_look(&*store, &*engine, &locks).await.unwrap();
    assert_eq!(store.view().gateway(GatewayId(1)), before.gateway(GatewayId(1)), "it is there");
    engine.remove_scope(&causeway_reconcile::Item::Gateway(GatewayId(1)).scope()).await.unwrap();
    causeway_reconcile::first_look(&*store, &*engine, &locks).await.unwrap();
    let after = store.view();
    assert_eq!(after.gateway(GatewayId(1)).unwrap().state(), GatewayState::Updating);
    assert!(!is_up(&after, 1) && is_active(&after, 2));
    assert_eq!(after.gateway(GatewayId(2)), before.gateway(GatewayId(2)));
}

#[tokio::test]
async fn a_gateway_that_is_there_costs_no_look_at_its_network() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new().unwrap());
    let engine = Arc::new(Watched::default());
    let run = causeway_reconcile::run(Arc::clone(&store), Arc::clone(&engine) as Arc<dyn Engine>);
    let controller = tokio::spawn(run);
    write(&store, ground().into_iter().chain([Write::Put(gateway(1).into())])).await;
    eventually(&store, "active", |view| is_active(view, 1)).await;
    // The network's own runs come to rest: none within ten times the first pause of an item that is looked at again.
    let looks = || engine.network_looks.load(Ordering::Relaxed);
    let mut before = u32::MAX;
    while before != looks() {
        before = looks();
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert!(before > 0, "an instance that has to be made stands on its network");
    for _ in 0..5 {
        let mut touched = (**store.view().gateway(GatewayId(1)).unwrap()).clone();
        touched.bandwidth_mbps += 1;
        touched.meta.generation += 1;
        write(&store, [Write::Put(touched.into())]).await;
        eventually(&store, "active again", |view| is_active(view, 1)).await;
    }
    assert_eq!(looks(), before);
    controller.abort();
}
