//! An engine between the tests and the memory engine.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use causeway_engine::{Engine, EngineError, EngineInfo, MemoryEngine};
use causeway_plan::{InstanceHealth, ObjectKey, Observed, Scope, Step};
use futures_util::future::BoxFuture;
use tokio::sync::broadcast::Receiver;

/// An engine that may refuse every tunnel, hold instances back or say that none works, and counts how often networks are looked at.
#[derive(Default)]
pub struct Watched {
    pub engine: MemoryEngine,
    pub refuses_tunnels: bool,
    pub holds_instances: AtomicBool,
    pub fails_instances: AtomicBool,
    pub network_looks: AtomicU32,
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
