//! The memory engine: the same lifecycle without packets, at once and without root.
//!
//! Two of its tunnels come up when each would accept the other, judged as two IKE daemons would; a tunnel
//! whose peer is not here, or does not agree, stays down and says why.

mod index;
mod pairing;
mod scopes;
mod state;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand;
use causeway_plan::{FingerprintKey, Observed, Scope, Step, UnixMillis};
use futures_util::future::{BoxFuture, ready};
use tokio::sync::broadcast;

use self::state::State;
use crate::engine::{Engine, EngineInfo, WAKE_UP_QUEUE};
use crate::error::EngineError;

/// Keeps the whole data plane in memory. Observing or changing a scope costs what the scope holds,
/// however many other scopes there are.
pub struct MemoryEngine {
    state: Mutex<State>,
    wake_ups: broadcast::Sender<Scope>,
    clock: Arc<dyn Fn() -> UnixMillis + Send + Sync>,
}

impl Default for MemoryEngine {
    fn default() -> Self {
        Self::new(Arc::new(|| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
        }))
    }
}

impl MemoryEngine {
    /// An engine whose times come from `clock`.
    pub fn new(clock: Arc<dyn Fn() -> UnixMillis + Send + Sync>) -> Self {
        let mut bytes = [0; 32];
        rand::fill(&mut bytes).expect("the system's random source works");
        let (wake_ups, _) = broadcast::channel(WAKE_UP_QUEUE);
        Self { state: Mutex::new(State::new(FingerprintKey::new(&bytes))), wake_ups, clock }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while the lock was held leaves state that the next reconcile repairs.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn wake(&self, scopes: Vec<Scope>) {
        for scope in scopes {
            // No receiver is no error: nobody watches yet.
            let _ = self.wake_ups.send(scope);
        }
    }
}

impl Engine for MemoryEngine {
    fn info(&self) -> EngineInfo {
        EngineInfo { name: "memory", data_plane: "none: tunnels are judged, no packet is carried".into() }
    }

    fn observe<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Observed, EngineError>> {
        Box::pin(ready(Ok(self.state().observe(scope))))
    }

    fn apply<'a>(&'a self, step: &'a Step) -> BoxFuture<'a, Result<(), EngineError>> {
        let now = (self.clock)();
        let outcome = self.state().apply(step, now);
        Box::pin(ready(outcome.map(|changed| self.wake(changed))))
    }

    fn watch(&self) -> broadcast::Receiver<Scope> {
        self.wake_ups.subscribe()
    }

    fn list_scopes(&self) -> BoxFuture<'_, Result<Vec<Scope>, EngineError>> {
        Box::pin(ready(Ok(self.state().scopes())))
    }

    fn remove_scope<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<(), EngineError>> {
        let now = (self.clock)();
        let outcome = self.state().remove_scope(scope, now);
        Box::pin(ready(outcome.map(|changed| self.wake(changed))))
    }

    fn cleanup_all(&self) -> BoxFuture<'_, Result<(), EngineError>> {
        let scopes = self.state().clear();
        self.wake(scopes);
        Box::pin(ready(Ok(())))
    }
}
