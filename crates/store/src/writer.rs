//! The one writer of a store: takes transactions in order, decides each on the newest snapshot, and commits
//! them in groups.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;

use causeway_model::{Key, View, Write};
use futures_util::future::BoxFuture;
use tokio::sync::{broadcast, oneshot};

use crate::store::{Decider, StoreError, WATCH_QUEUE};

/// Transactions of one commit at most.
const GROUP_MAX: usize = 1_024;
/// Transactions that wait for the writer at most: more than all connections of a service can ask for at once.
const QUEUE_MAX: usize = 16_384;

/// Makes writes durable.
pub(crate) trait Sink: Send + 'static {
    /// Commits all of the writes or none.
    fn commit(&mut self, revision: u64, writes: &[Write]) -> Result<(), StoreError>;
}

type Reply = oneshot::Sender<Result<Arc<View>, StoreError>>;

/// The front of the writer thread.
pub(crate) struct Writer {
    jobs: Option<SyncSender<(Decider, Reply)>>,
    view: Arc<RwLock<Arc<View>>>,
    changes: broadcast::Sender<Arc<[Key]>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub fn start(view: View, sink: impl Sink) -> Result<Self, StoreError> {
        let (jobs, queue) = sync_channel(QUEUE_MAX);
        let (changes, _) = broadcast::channel(WATCH_QUEUE);
        let view = Arc::new(RwLock::new(Arc::new(view)));
        let (shared, announcements) = (Arc::clone(&view), changes.clone());
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || run(&queue, &shared, &announcements, sink))
            .map_err(|error| StoreError::Failed(error.to_string()))?;
        Ok(Self { jobs: Some(jobs), view, changes, thread: Some(thread) })
    }

    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn watch(&self) -> broadcast::Receiver<Arc<[Key]>> {
        self.changes.subscribe()
    }

    pub fn transact(&self, decider: Decider) -> BoxFuture<'_, Result<Arc<View>, StoreError>> {
        let (reply, answer) = oneshot::channel();
        let sent = match self.jobs.as_ref().map(|jobs| jobs.try_send((decider, reply))) {
            Some(Ok(())) => Ok(()),
            Some(Err(TrySendError::Full(_))) => Err(StoreError::Busy),
            Some(Err(TrySendError::Disconnected(_))) | None => Err(StoreError::Closed),
        };
        Box::pin(async move {
            sent?;
            answer.await.unwrap_or(Err(StoreError::Closed))
        })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // What was accepted is still committed; a panic of the writer was reported by its hook.
            let _ = thread.join();
        }
    }
}

fn run(
    queue: &Receiver<(Decider, Reply)>,
    shared: &RwLock<Arc<View>>,
    changes: &broadcast::Sender<Arc<[Key]>>,
    mut sink: impl Sink,
) {
    while let Ok(first) = queue.recv() {
        let mut group = vec![first];
        group.extend(queue.try_iter().take(GROUP_MAX - 1));
        let mut next: View = (**shared.read().unwrap_or_else(PoisonError::into_inner)).clone();
        let mut writes: Vec<Write> = Vec::new();
        let mut replies = Vec::new();
        for (mut decider, reply) in group {
            // A decision changes nothing by itself, so one that panics harms only whom it was for.
            let Ok(decided) = catch_unwind(AssertUnwindSafe(|| decider(&next))) else {
                let _ = reply.send(Err(StoreError::Failed("a decision panicked".to_owned())));
                continue;
            };
            if !decided.is_empty() {
                next.apply(&decided);
                writes.extend(decided);
            }
            replies.push((reply, Arc::new(next.clone())));
        }
        let result = if writes.is_empty() { Ok(()) } else { sink.commit(next.revision(), &writes) };
        match result {
            Ok(()) => {
                *shared.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
                if !writes.is_empty() {
                    // Nobody may be watching.
                    let _ = changes.send(writes.iter().map(Write::key).collect());
                }
                for (reply, view) in replies {
                    let _ = reply.send(Ok(view));
                }
            }
            Err(error) => {
                tracing::error!(%error, "a group of transactions was not committed");
                for (reply, _) in replies {
                    let _ = reply.send(Err(error.clone()));
                }
            }
        }
    }
}
