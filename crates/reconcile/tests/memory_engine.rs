//! The whole loop on the memory engine: what is asked for becomes active, peers find each other, what is deleted
//! goes, and a new controller carries on where a dead one stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use causeway_engine::{Engine, EngineError, EngineInfo, MemoryEngine};
use causeway_model::fixtures::{self, gateway, meta};
use causeway_model::{
    Connection, ConnectionId, ConnectionStatus, CustomerGateway, CustomerGatewayId, Encryption, Gateway,
    GatewayId, GatewayState, NetworkId, Record, RouteTableId, Secret, Selection, Subnet, SubnetId, Tunnel,
    View, Write,
};
use causeway_plan::{InstanceHealth, ObjectKey, Observed, Scope, Step};
use causeway_store::{MemoryStore, Store, transact};
use futures_util::future::BoxFuture;
use tokio::sync::broadcast::Receiver;

const PATIENCE: Duration = Duration::from_secs(20);

fn ground() -> Vec<Write> {
    let (network, table) = fixtures::network();
    let subnet = Subnet {
        id: SubnetId(1),
        meta: meta(102, "subnet"),
        network: NetworkId(1),
        zone: "a".into(),
        cidr: "10.0.0.0/16".parse().unwrap(),
        table: RouteTableId(1),
        observed_generation: 0,
    };
    vec![Write::Put(network.into()), Write::Put(table.into()), Write::Put(subnet.into())]
}

/// Gateway `n`'s connection to gateway `other`.
fn connection(n: u64, other: u64, psk: &str) -> [Write; 2] {
    let [own_ip, other_ip] = [n, other].map(|n| gateway(n).instances[0].public_ip);
    let peer = CustomerGateway {
        id: CustomerGatewayId(n),
        meta: meta(200 + n, "cgw"),
        ip: other_ip,
        asn: None,
        bgp_key: None,
    };
    let (ike, esp) = fixtures::proposals();
    let connection = Connection {
        id: ConnectionId(n),
        meta: meta(300 + n, "conn"),
        gateway: GatewayId(n),
        selection: Selection::Routes,
        local_subnets: vec![],
        remote_subnets: vec![format!("192.168.{other}.0/24").parse().unwrap()],
        tunnels: vec![Tunnel {
            external: None,
            customer_gateway: peer.id,
            psk: Secret::new(psk),
            local_id: own_ip.to_string(),
            remote_id: other_ip.to_string(),
            ike,
            esp,
            dpd: None,
            nat_traversal: true,
            bgp: None,
        }],
        health_check: None,
        initiate: true,
        status: ConnectionStatus::default(),
    };
    [Write::Put(peer.into()), Write::Put(connection.into())]
}

async fn write(store: &Arc<dyn Store>, writes: impl IntoIterator<Item = Write>) {
    let writes: Vec<Write> = writes.into_iter().collect();
    transact(&**store, move |_| (writes.clone(), ())).await.unwrap();
}

async fn eventually(store: &Arc<dyn Store>, what: &str, test: impl Fn(&View) -> bool) {
    let wait = async {
        while !test(&store.view()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("it never came to this: {what}"));
}

fn is_active(view: &View, n: u64) -> bool {
    view.gateway(GatewayId(n)).is_some_and(|gateway| gateway.state() == GatewayState::Active)
}

fn is_up(view: &View, n: u64) -> bool {
    view.connection(ConnectionId(n)).is_some_and(|connection| connection.is_up())
}

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

/// An engine that may refuse every tunnel, hold instances back or say that none works, and counts how often networks are looked at.
#[derive(Default)]
struct Watched {
    engine: MemoryEngine,
    refuses_tunnels: bool,
    holds_instances: AtomicBool,
    fails_instances: AtomicBool,
    network_looks: AtomicU32,
}

impl Engine for Watched {
    fn info(&self) -> EngineInfo {
        self.engine.info()
    }

    fn observe<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Observed, EngineError>> {
        if matches!(scope, Scope::Network(_)) {
            self.network_looks.fetch_add(1, Ordering::Relaxed);
        }
        Box::pin(async {
            let mut observed = self.engine.observe(scope).await?;
            if self.fails_instances.load(Ordering::Relaxed) {
                let failed = InstanceHealth::Failed("charon ended: status 1".to_owned());
                observed.instances.values_mut().for_each(|health| *health = failed.clone());
            }
            Ok(observed)
        })
    }

    fn apply<'a>(&'a self, step: &'a Step) -> BoxFuture<'a, Result<(), EngineError>> {
        match step.key() {
            key @ ObjectKey::Tunnel(_) if self.refuses_tunnels => Box::pin(async {
                Err(EngineError::Unsupported { object: Box::new(key), what: "it refuses: this".to_owned() })
            }),
            ObjectKey::Instance(_) => Box::pin(async {
                while self.holds_instances.load(Ordering::Relaxed) {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                self.engine.apply(step).await
            }),
            _ => self.engine.apply(step),
        }
    }

    fn watch(&self) -> Receiver<Scope> {
        self.engine.watch()
    }

    fn list_scopes(&self) -> BoxFuture<'_, Result<Vec<Scope>, EngineError>> {
        self.engine.list_scopes()
    }

    fn remove_scope<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<(), EngineError>> {
        self.engine.remove_scope(scope)
    }

    fn cleanup_all(&self) -> BoxFuture<'_, Result<(), EngineError>> {
        self.engine.cleanup_all()
    }
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
