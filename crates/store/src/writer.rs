//! The one writer of a store: takes transactions in order, decides each on the newest snapshot, and commits
//! them in groups.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;

use causeway_model::{Key, View, Write};
use futures_util::future::BoxFuture;
use tokio::sync::{broadcast, oneshot};

use crate::health::{Health, Pulse, pulse};
use crate::nonces::SpentNonce;
use crate::store::{Decider, StoreError, WATCH_QUEUE};

/// Transactions of one commit at most.
const GROUP_MAX: usize = 1_024;
/// Transactions that wait for the writer at most: more than all connections of a service can ask for at once.
const QUEUE_MAX: usize = 16_384;

/// Makes writes durable.
pub(crate) trait Sink: Send + 'static {
    /// Commits all of a group or nothing.
    fn commit(&mut self, group: &Group<'_>) -> Result<(), StoreError>;
}

/// What is committed at once.
pub(crate) struct Group<'a> {
    /// The snapshot without the writes.
    pub before: &'a View,
    /// The snapshot with them.
    pub after: &'a View,
    /// The writes, in order.
    pub writes: &'a [Write],
    /// Nonces that are used up.
    pub nonces: &'a [SpentNonce],
}

type Reply = oneshot::Sender<Result<Arc<View>, StoreError>>;

/// A transaction that waits for the writer.
pub(crate) struct Job {
    decider: Decider,
    nonce: Option<SpentNonce>,
    reply: Reply,
}

/// The front of the writer thread.
pub(crate) struct Writer {
    jobs: Option<SyncSender<Job>>,
    view: Arc<RwLock<Arc<View>>>,
    changes: broadcast::Sender<Arc<[Key]>>,
    thread: Option<JoinHandle<()>>,
    health: Health,
}

impl Writer {
    pub fn start(view: View, sink: impl Sink) -> Result<Self, StoreError> {
        let (jobs, queue) = sync_channel(QUEUE_MAX);
        let (changes, _) = broadcast::channel(WATCH_QUEUE);
        let view = Arc::new(RwLock::new(Arc::new(view)));
        let (shared, announcements) = (Arc::clone(&view), changes.clone());
        let (pulse, health) = pulse();
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || run(&queue, &shared, &announcements, &pulse, sink))
            .map_err(|error| StoreError::Failed(error.to_string()))?;
        Ok(Self { jobs: Some(jobs), view, changes, thread: Some(thread), health })
    }

    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn health(&self) -> &Health {
        &self.health
    }

    pub fn watch(&self) -> broadcast::Receiver<Arc<[Key]>> {
        self.changes.subscribe()
    }

    pub fn transact(
        &self,
        decider: Decider,
        nonce: Option<SpentNonce>,
    ) -> BoxFuture<'_, Result<Arc<View>, StoreError>> {
        let (reply, answer) = oneshot::channel();
        let job = Job { decider, nonce, reply };
        let sent = match self.jobs.as_ref().map(|jobs| jobs.try_send(job)) {
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
    queue: &Receiver<Job>,
    shared: &RwLock<Arc<View>>,
    changes: &broadcast::Sender<Arc<[Key]>>,
    pulse: &Pulse,
    mut sink: impl Sink,
) {
    while let Ok(first) = queue.recv() {
        pulse.begin();
        let before = Arc::clone(&shared.read().unwrap_or_else(PoisonError::into_inner));
        let jobs = std::iter::once(first).chain(queue.try_iter().take(GROUP_MAX - 1));
        let Decided { view, writes, nonces, replies } = Decided::new(&before, jobs);
        let group = Group { before: &before, after: &view, writes: &writes, nonces: &nonces };
        let is_empty = writes.is_empty() && nonces.is_empty();
        let committed = (!is_empty).then(|| sink.commit(&group));
        pulse.end(committed.as_ref());
        match committed.unwrap_or(Ok(())) {
            Ok(()) => {
                if !writes.is_empty() {
                    *shared.write().unwrap_or_else(PoisonError::into_inner) = view;
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

/// A group of transactions that were decided one after the other, and are to be committed together.
struct Decided {
    view: Arc<View>,
    writes: Vec<Write>,
    nonces: Vec<SpentNonce>,
    replies: Vec<(Reply, Arc<View>)>,
}

impl Decided {
    /// Decides on `before` and what follows from it. Each transaction is answered with the snapshot that it led to or
    /// a later one of the group, from which nothing was removed since: a snapshot of each would cost the next one a
    /// copy of every part of the maps that it touches.
    fn new(before: &Arc<View>, jobs: impl Iterator<Item = Job>) -> Self {
        let mut next = View::clone(before);
        let mut writes: Vec<Write> = Vec::new();
        let mut nonces = Vec::new();
        let mut replies = Vec::new();
        let mut unanswered = Vec::new();
        for Job { mut decider, nonce, reply } in jobs {
            nonces.extend(nonce);
            // A decision changes nothing by itself, so one that panics harms only whom it was for.
            let Ok(decided) = catch_unwind(AssertUnwindSafe(|| decider(&next))) else {
                let _ = reply.send(Err(StoreError::Failed("a decision panicked".to_owned())));
                continue;
            };
            if !unanswered.is_empty() && decided.iter().any(|write| matches!(write, Write::Delete(_))) {
                let view = Arc::new(next.clone());
                replies.extend(unanswered.drain(..).map(|reply| (reply, Arc::clone(&view))));
            }
            if !decided.is_empty() {
                next.apply(&decided);
                writes.extend(decided);
            }
            unanswered.push(reply);
        }
        let view = Arc::new(next);
        replies.extend(unanswered.into_iter().map(|reply| (reply, Arc::clone(&view))));
        Self { view, writes, nonces, replies }
    }
}

#[cfg(test)]
mod tests {
    use causeway_model::{GatewayId, fixtures};

    use super::*;

    fn put(n: u64) -> Vec<Write> {
        vec![Write::Put(fixtures::gateway(n).into())]
    }

    /// Decides a group of transactions with these writes. Nobody waits for the answers.
    fn decide(group: Vec<Vec<Write>>) -> Decided {
        let jobs = group.into_iter().map(|writes| {
            let decider: Decider = Box::new(move |_: &View| writes.clone());
            Job { decider, nonce: None, reply: oneshot::channel().0 }
        });
        Decided::new(&Arc::default(), jobs)
    }

    /// Fails or panics as its orders say, the last one first.
    struct Faulty(Vec<fn() -> Result<(), StoreError>>);

    impl Sink for Faulty {
        fn commit(&mut self, _: &Group<'_>) -> Result<(), StoreError> {
            self.0.pop().map_or(Ok(()), |order| order())
        }
    }

    #[tokio::test]
    async fn a_writer_that_fails_is_told_and_one_that_dies_ends() {
        let fail = || Err(StoreError::Failed("disk full".to_owned()));
        let die = || panic!("a fault of the disk, made by this test");
        let writer = Writer::start(View::default(), Faulty(vec![die, || Ok(()), fail])).unwrap();
        let write = || writer.transact(Box::new(|_| put(1)), None);
        assert!(writer.health().check().is_ok());
        assert!(write().await.is_err());
        assert!(writer.health().check().unwrap_err().to_string().contains("disk full"));
        assert!(write().await.is_ok());
        assert!(writer.health().check().is_ok());
        assert!(write().await.is_err());
        writer.health().clone().ended().await;
        assert!(matches!(writer.health().check(), Err(StoreError::Closed)));
        assert!(matches!(write().await, Err(StoreError::Closed)));
    }

    #[test]
    fn who_made_something_sees_it_whatever_others_remove_in_the_same_group() {
        let decided = decide(vec![
            put(1),
            put(2),
            vec![Write::Delete(GatewayId(1).key())],
            vec![Write::Delete(GatewayId(2).key())],
            put(3),
        ]);
        let seen = |place: usize| [1, 2, 3].map(|n| decided.replies[place].1.gateway(GatewayId(n)).is_some());
        assert_eq!(seen(0), [true, true, false]);
        assert_eq!(seen(1), [true, true, false]);
        assert_eq!(seen(2), [false, true, false]);
        assert_eq!(seen(3), [false, false, true], "the rest of the group removes nothing");
        assert_eq!(seen(4), [false, false, true]);
        assert_eq!((decided.writes.len(), decided.view.len()), (5, 1));
    }

    #[test]
    fn a_group_that_only_makes_things_has_one_snapshot() {
        let decided = decide((1..=10).map(put).collect());
        assert!(decided.replies.iter().all(|(_, view)| Arc::ptr_eq(view, &decided.view)));
    }
}
