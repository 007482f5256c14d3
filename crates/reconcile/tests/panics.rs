//! A run that panics is tried again: its item is not forgotten.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use causeway_engine::{Engine, EngineError, EngineInfo, MemoryEngine};
use causeway_model::{NetworkId, Write, fixtures};
use causeway_plan::{Observed, Scope, Step};
use causeway_store::{MemoryStore, Store, transact};
use tokio::sync::broadcast;

type Boxed<'a, T> = Pin<Box<dyn Future<Output = Result<T, EngineError>> + Send + 'a>>;

/// The memory engine, but the first step panics.
#[derive(Default)]
struct PanicsOnce {
    engine: MemoryEngine,
    has_panicked: AtomicBool,
}

impl Engine for PanicsOnce {
    fn info(&self) -> EngineInfo {
        self.engine.info()
    }

    fn observe<'a>(&'a self, scope: &'a Scope) -> Boxed<'a, Observed> {
        self.engine.observe(scope)
    }

    fn apply<'a>(&'a self, step: &'a Step) -> Boxed<'a, ()> {
        assert!(self.has_panicked.swap(true, Ordering::SeqCst), "the first step panics");
        self.engine.apply(step)
    }

    fn watch(&self) -> broadcast::Receiver<Scope> {
        self.engine.watch()
    }

    fn list_scopes(&self) -> Boxed<'_, Vec<Scope>> {
        self.engine.list_scopes()
    }

    fn remove_scope<'a>(&'a self, scope: &'a Scope) -> Boxed<'a, ()> {
        self.engine.remove_scope(scope)
    }

    fn cleanup_all(&self) -> Boxed<'_, ()> {
        self.engine.cleanup_all()
    }
}

#[tokio::test]
async fn an_item_whose_run_panicked_is_tried_again() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new().unwrap());
    let engine = Arc::new(PanicsOnce::default());
    let controller = tokio::spawn(causeway_reconcile::run(Arc::clone(&store), engine.clone()));
    let (network, table) = fixtures::network();
    let writes = vec![Write::Put(network.into()), Write::Put(table.into())];
    transact(&*store, move |_| (writes.clone(), ())).await.unwrap();
    let wait = async {
        while store.view().network(NetworkId(1)).is_none_or(|network| network.observed_generation == 0) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("the network comes up");
    assert!(engine.has_panicked.load(Ordering::SeqCst));
    controller.abort();
}
