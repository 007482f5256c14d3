//! The whole loop on the memory engine: what is asked for becomes active, peers find each other, what is deleted
//! goes, and a new controller carries on where a dead one stopped.

mod ground;
mod presence;
mod watched;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use causeway_engine::{Engine, MemoryEngine};
use causeway_model::fixtures::gateway;
use causeway_model::{
    ConnectionId, Encryption, Gateway, GatewayId, NetworkId, Record, SubnetId, View, Write,
};
use causeway_plan::ObjectKey;
use causeway_store::{MemoryStore, Store};

use crate::ground::{PATIENCE, connection, eventually, ground, is_active, is_up, write};
use crate::watched::Watched;

#[tokio::test]
async fn gateways_come_find_each_other_and_go() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new().unwrap());
    let engine: Arc<dyn Engine> = Arc::new(MemoryEngine::default());
    let controller = tokio::spawn(causeway_reconcile::run(Arc::clone(&store), Arc::clone(&engine)));
    write(&store, ground()).await;
    write(&store, [1, 2].map(|n| Write::Put(gateway(n).into()))).await;
    eventually(&store, "both active", |view| is_active(view, 1) && is_active(view, 2)).await;
    write(&store, connection(1, 2, "secret")).await;
    eventually(&store, "one side waits", |view| {
        view.connection(ConnectionId(1)).is_some_and(|it| it.status.was_active && !it.is_up())
    })
    .await;
    write(&store, connection(2, 1, "secret")).await;
    eventually(&store, "both up", |view| is_up(view, 1) && is_up(view, 2)).await;

    // The controller dies; what is asked for meanwhile is done by the next one.
    controller.abort();
    let _ = controller.await;
    let mut doomed = (**store.view().connection(ConnectionId(2)).unwrap()).clone();
    doomed.meta.deleting = true;
    doomed.meta.generation += 1;
    write(&store, [Write::Put(doomed.into())]).await;
    let controller = tokio::spawn(causeway_reconcile::run(Arc::clone(&store), Arc::clone(&engine)));
    eventually(&store, "gone and down", |view| view.connection(ConnectionId(2)).is_none() && !is_up(view, 1))
        .await;

    for n in [1, 2] {
        let mut doomed: Gateway = (**store.view().gateway(GatewayId(n)).unwrap()).clone();
        doomed.meta.deleting = true;
        doomed.meta.generation += 1;
        write(&store, [Write::Put(doomed.into())]).await;
    }
    eventually(&store, "no gateway", |view| {
        !view.records().any(|record| matches!(record, Record::Gateway(_) | Record::Connection(_)))
    })
    .await;
    let mut doomed = (**store.view().network(NetworkId(1)).unwrap()).clone();
    doomed.meta.deleting = true;
    let mut subnet = (**store.view().subnet(SubnetId(1)).unwrap()).clone();
    subnet.meta.deleting = true;
    write(&store, [Write::Put(doomed.into()), Write::Put(subnet.into())]).await;
    eventually(&store, "no network", |view| view.network(NetworkId(1)).is_none()).await;
    assert!(engine.list_scopes().await.unwrap().is_empty(), "nothing is left in the data plane");
    controller.abort();
}

/// Nothing carries it, and it and its connection come to rest all the same.
#[tokio::test]
async fn a_transit_gateway_and_its_connection_are_records() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new().unwrap());
    let engine: Arc<dyn Engine> = Arc::new(MemoryEngine::default());
    let controller = tokio::spawn(causeway_reconcile::run(Arc::clone(&store), Arc::clone(&engine)));
    let mut transit = gateway(1);
    transit.network = None;
    transit.features.transit = true;
    let instance = &mut transit.instances[0];
    (instance.subnet, instance.private_ip) = (None, None);
    write(&store, [Write::Put(transit.into()), Write::Put(gateway(2).into())]).await;
    write(&store, connection(1, 2, "secret")).await;
    let carried = |view: &View| view.connection(ConnectionId(1)).unwrap().status.was_active;
    let settled = |view: &View| is_active(view, 1) && carried(view);
    eventually(&store, "settled", settled).await;
    let shown = store.view().connection(ConnectionId(1)).unwrap().status.tunnels[0].clone();
    assert!(!shown.child_installed && shown.trouble.contains("records"), "{shown:?}");
    controller.abort();
}

/// Its addresses stay, and its connections say why they carry nothing; with funds all is as it was.
#[tokio::test]
async fn a_locked_gateway_carries_nothing_until_it_is_paid_for() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new().unwrap());
    let engine: Arc<dyn Engine> = Arc::new(MemoryEngine::default());
    let run = |locked: u64| {
        let locks: causeway_reconcile::Locks = Arc::new(move |gateway| gateway.id == GatewayId(locked));
        let (going, stop) = tokio::sync::watch::channel(false);
        let run = causeway_reconcile::run_until(Arc::clone(&store), Arc::clone(&engine), locks, stop);
        (tokio::spawn(run), going)
    };
    let (controller, going) = run(0);
    write(&store, ground()).await;
    write(&store, [1, 2].map(|n| Write::Put(gateway(n).into()))).await;
    write(&store, connection(1, 2, "secret").into_iter().chain(connection(2, 1, "secret"))).await;
    eventually(&store, "both up", |view| is_up(view, 1) && is_up(view, 2)).await;
    going.send(true).unwrap();
    controller.await.unwrap();

    let (controller, going) = run(1);
    eventually(&store, "locked", |view| !is_up(view, 1) && !is_up(view, 2)).await;
    let view = store.view();
    let shown = &view.connection(ConnectionId(1)).unwrap().status.tunnels[0];
    assert!(shown.trouble.contains("locked"), "{shown:?}");
    assert!(is_active(&view, 1), "it is there");
    let seen = engine.observe(&causeway_reconcile::Item::Gateway(GatewayId(1)).scope()).await.unwrap();
    let is_tunnel = |key: &ObjectKey| matches!(key, ObjectKey::Tunnel(_));
    assert!(!seen.objects.keys().any(is_tunnel) && !seen.objects.is_empty(), "{:?}", seen.objects);
    going.send(true).unwrap();
    controller.await.unwrap();

    let (controller, going) = run(0);
    eventually(&store, "both up again", |view| is_up(view, 1) && is_up(view, 2)).await;
    going.send(true).unwrap();
    controller.await.unwrap();
}

#[tokio::test]
async fn what_the_store_does_not_know_is_removed_at_start() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new().unwrap());
    let engine: Arc<dyn Engine> = Arc::new(MemoryEngine::default());
    let controller = tokio::spawn(causeway_reconcile::run(Arc::clone(&store), Arc::clone(&engine)));
    write(&store, ground().into_iter().chain([Write::Put(gateway(1).into())])).await;
    eventually(&store, "active", |view| is_active(view, 1)).await;
    controller.abort();
    let _ = controller.await;
    let empty: Arc<dyn Store> = Arc::new(MemoryStore::new().unwrap());
    let controller = tokio::spawn(causeway_reconcile::run(empty, Arc::clone(&engine)));
    let wait = async {
        while !engine.list_scopes().await.unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("orphans are removed");
    controller.abort();
}

#[tokio::test]
async fn an_algorithm_that_is_not_carried_is_told_and_keeps_nothing_else_down() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new().unwrap());
    let engine: Arc<dyn Engine> = Arc::new(MemoryEngine::default());
    let controller = tokio::spawn(causeway_reconcile::run(Arc::clone(&store), engine));
    write(&store, ground().into_iter().chain([1, 2].map(|n| Write::Put(gateway(n).into())))).await;
    let mut writes = connection(1, 2, "secret");
    if let Write::Put(Record::Connection(it)) = &mut writes[1] {
        Arc::make_mut(it).tunnels[0].esp.encryption = Encryption::Sm4Cbc;
    }
    write(&store, writes).await;
    eventually(&store, "told", |view| {
        is_active(view, 1)
            && view
                .connection(ConnectionId(1))
                .is_some_and(|it| it.tunnel_status(0).trouble.contains("SM4") && !it.is_up())
    })
    .await;
    controller.abort();
}

#[tokio::test]
async fn a_refused_tunnel_is_told_and_keeps_the_gateway_open_for_its_removal() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new().unwrap());
    let engine: Arc<dyn Engine> = Arc::new(Watched { refuses_tunnels: true, ..Watched::default() });
    let controller = tokio::spawn(causeway_reconcile::run(Arc::clone(&store), engine));
    write(&store, ground().into_iter().chain([Write::Put(gateway(1).into())])).await;
    write(&store, connection(1, 2, "secret")).await;
    let mut touched = (**store.view().gateway(GatewayId(1)).unwrap()).clone();
    touched.meta.generation += 1;
    write(&store, [Write::Put(touched.into())]).await;
    eventually(&store, "active, with a trouble of the tunnel", |view| {
        let told = view
            .connection(ConnectionId(1))
            .is_some_and(|it| !it.status.was_active && it.tunnel_status(0).trouble.contains("it refuses"));
        is_active(view, 1) && told
    })
    .await;
    controller.abort();
}

/// Where charon can't start, nothing fails that was asked for; the reason is told all the same, and the gateway can be
/// deleted.
#[tokio::test]
async fn an_instance_that_does_not_work_is_told_and_can_be_removed() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new().unwrap());
    let engine = Arc::new(Watched::default());
    engine.fails_instances.store(true, Ordering::Relaxed);
    let run = causeway_reconcile::run(Arc::clone(&store), Arc::clone(&engine) as Arc<dyn Engine>);
    let controller = tokio::spawn(run);
    write(&store, ground().into_iter().chain([Write::Put(gateway(1).into())])).await;
    eventually(&store, "told", |view| {
        let told = |it: &Arc<Gateway>| it.status.trouble.contains("charon ended") && !is_active(view, 1);
        view.gateway(GatewayId(1)).is_some_and(told)
    })
    .await;
    let mut deleting = (**store.view().gateway(GatewayId(1)).unwrap()).clone();
    deleting.meta.deleting = true;
    write(&store, [Write::Put(deleting.into())]).await;
    eventually(&store, "gone", |view| view.gateway(GatewayId(1)).is_none()).await;
    controller.abort();
}
