//! What a store is.

use std::sync::{Arc, Mutex};

use causeway_model::{Key, View, Write};
use futures_util::future::BoxFuture;
use tokio::sync::broadcast;

use crate::nonces::SpentNonce;

/// How many commits a watcher may lag behind before it has to look at everything anew.
pub const WATCH_QUEUE: usize = 4_096;

/// Looks at the newest snapshot and says what is to be written. It may be called more than once: a store
/// that shares its data with other processes calls it again when it lost against one of them.
pub type Decider = Box<dyn FnMut(&View) -> Vec<Write> + Send>;

/// Why a transaction failed. Nothing of it was written.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The store's files can't be read or written.
    #[error("the store failed: {0}")]
    Failed(String),
    /// A sealed value can't be opened: the key file is not the one that the store was written with.
    #[error("a secret of {0} can't be opened with this key file")]
    Sealed(String),
    /// Another process has the store open.
    #[error("{0} is in use by another process")]
    InUse(String),
    /// Too many transactions wait already.
    #[error("too many transactions wait")]
    Busy,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

/// Snapshots, transactions and a watch.
///
/// Every store keeps these rules; [`contract`](crate::contract) tests them:
/// - Transactions happen one after the other, each on the snapshot that the one before it led to.
/// - A transaction is durable before it is acknowledged, and all of it or nothing is.
/// - A snapshot holds only what is durable, and never changes.
/// - A decision that panics fails its own transaction and no other.
/// - Revisions and the numbers of resources ([`View::next_seq`]) never go back, whatever was deleted before a restart.
pub trait Store: Send + Sync + 'static {
    /// The newest durable snapshot. Never waits.
    fn view(&self) -> Arc<View>;

    /// Decides and writes. Gives the snapshot that the transaction led to, or a later one from which nothing was
    /// removed since. The nonce of a request is as durable as what the request wrote, and is so where it wrote nothing.
    fn transact(
        &self,
        decider: Decider,
        nonce: Option<SpentNonce>,
    ) -> BoxFuture<'_, Result<Arc<View>, StoreError>>;

    /// The nonces of all transactions, those of earlier services too, that are not over at `now_s`.
    ///
    /// # Errors
    /// When the store fails.
    fn spent_nonces(&self, now_s: i64) -> Result<Vec<SpentNonce>, StoreError>;

    /// Whether writes can be expected to succeed.
    ///
    /// # Errors
    /// What keeps them from it: the last commit failed a short while ago, or one does not end, or the writer is gone.
    fn health(&self) -> Result<(), StoreError>;

    /// Ends when the store can't write any more, whatever is done: its process is of no use then.
    fn ended(&self) -> BoxFuture<'static, ()>;

    /// The keys that each commit from now on changes.
    fn watch(&self) -> broadcast::Receiver<Arc<[Key]>>;
}

/// Runs a transaction that also answers something: the answer of its last try.
///
/// # Errors
/// See [`StoreError`].
pub async fn transact<T: Send + 'static>(
    store: &dyn Store,
    decide: impl FnMut(&View) -> (Vec<Write>, T) + Send + 'static,
) -> Result<(T, Arc<View>), StoreError> {
    transact_spending(store, None, decide).await
}

/// The same for a request whose nonce is used up by it.
///
/// # Errors
/// See [`StoreError`].
pub async fn transact_spending<T: Send + 'static>(
    store: &dyn Store,
    nonce: Option<SpentNonce>,
    mut decide: impl FnMut(&View) -> (Vec<Write>, T) + Send + 'static,
) -> Result<(T, Arc<View>), StoreError> {
    let answer = Arc::new(Mutex::new(None));
    let slot = Arc::clone(&answer);
    let decider: Decider = Box::new(move |view| {
        let (writes, value) = decide(view);
        *slot.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(value);
        writes
    });
    let view = store.transact(decider, nonce).await?;
    let value = answer.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    value.map(|value| (value, view)).ok_or(StoreError::Closed)
}
