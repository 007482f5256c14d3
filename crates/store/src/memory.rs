//! A store without files, for tests and throw-away services: durable only as long as the process.

use std::sync::{Arc, Mutex, PoisonError};

use causeway_model::{Key, View};
use futures_util::future::BoxFuture;
use tokio::sync::broadcast;

use crate::nonces::SpentNonce;
use crate::store::{Decider, Store, StoreError};
use crate::writer::{Group, Sink, Writer};

/// See the module.
pub struct MemoryStore {
    writer: Writer,
    nonces: Arc<Mutex<Vec<SpentNonce>>>,
}

/// Keeps nothing but the nonces: the snapshots are the writer's.
struct Nowhere(Arc<Mutex<Vec<SpentNonce>>>);

impl Sink for Nowhere {
    fn commit(&mut self, group: &Group<'_>) -> Result<(), StoreError> {
        let Some(now_s) = group.nonces.iter().map(|nonce| nonce.taken_s).max() else { return Ok(()) };
        let mut nonces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Only when it would grow otherwise: to look at all of them each time would cost more than to keep them.
        if nonces.len() == nonces.capacity() {
            nonces.retain(|nonce| nonce.until_s >= now_s);
        }
        nonces.extend_from_slice(group.nonces);
        Ok(())
    }
}

impl MemoryStore {
    /// An empty store.
    ///
    /// # Errors
    /// When its thread can't be started.
    pub fn new() -> Result<Self, StoreError> {
        let nonces = Arc::default();
        Ok(Self { writer: Writer::start(View::default(), Nowhere(Arc::clone(&nonces)))?, nonces })
    }
}

impl Store for MemoryStore {
    fn view(&self) -> Arc<View> {
        self.writer.view()
    }

    fn transact(
        &self,
        decider: Decider,
        nonce: Option<SpentNonce>,
    ) -> BoxFuture<'_, Result<Arc<View>, StoreError>> {
        self.writer.transact(decider, nonce)
    }

    fn spent_nonces(&self, now_s: i64) -> Result<Vec<SpentNonce>, StoreError> {
        let nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(nonces.iter().filter(|nonce| nonce.until_s >= now_s).copied().collect())
    }

    fn health(&self) -> Result<(), StoreError> {
        self.writer.health().check()
    }

    fn ended(&self) -> BoxFuture<'static, ()> {
        Box::pin(self.writer.health().clone().ended())
    }

    fn watch(&self) -> broadcast::Receiver<Arc<[Key]>> {
        self.writer.watch()
    }
}
