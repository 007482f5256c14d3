//! A store without files, for tests and throw-away services: durable only as long as the process.

use std::sync::Arc;

use causeway_model::{Key, View, Write};
use futures_util::future::BoxFuture;
use tokio::sync::broadcast;

use crate::store::{Decider, Store, StoreError};
use crate::writer::{Sink, Writer};

/// See the module.
pub struct MemoryStore {
    writer: Writer,
}

struct Nowhere;

impl Sink for Nowhere {
    fn commit(&mut self, _before: &View, _revision: u64, _writes: &[Write]) -> Result<(), StoreError> {
        Ok(())
    }
}

impl MemoryStore {
    /// An empty store.
    ///
    /// # Errors
    /// When its thread can't be started.
    pub fn new() -> Result<Self, StoreError> {
        Ok(Self { writer: Writer::start(View::default(), Nowhere)? })
    }
}

impl Store for MemoryStore {
    fn view(&self) -> Arc<View> {
        self.writer.view()
    }

    fn transact(&self, decider: Decider) -> BoxFuture<'_, Result<Arc<View>, StoreError>> {
        self.writer.transact(decider)
    }

    fn watch(&self) -> broadcast::Receiver<Arc<[Key]>> {
        self.writer.watch()
    }
}
