//! The loop: wake-ups from the store and the engine, runs side by side, a timer as the safety net.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use causeway_engine::Engine;
use causeway_model::{Key, Kind, Millis, NetworkId, Record, Token, TokenId, View, Write, limits};
use causeway_plan::Scope;
use causeway_store::{Store, transact};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Duration, Instant, interval_at, sleep_until, timeout};

use crate::keys::Item;
use crate::queue::Queue;
use crate::reconciler::{Locks, Reconciler, Settled, Trouble};

/// Runs side by side at most.
const RUNS_MAX: usize = 32;
/// How long one run may take: a step that hangs must not keep its item, and one of the places, for ever.
const RUN_TIME_MAX: Duration = Duration::from_secs(120);
/// Client tokens that one transaction forgets at most; more wait for the next look at everything.
const TOKENS_FORGOTTEN_MAX: usize = 10_000;
/// How often everything is looked at, whatever the events said.
const SAFETY_NET: Duration = Duration::from_secs(300);

/// Makes the data plane follow the store, and the store's status follow the data plane, until the future is
/// dropped. Dropping it at any point is safe, but what was under way may go on for a moment. No gateway is locked.
pub async fn run(store: Arc<dyn Store>, engine: Arc<dyn Engine>) {
    let (_never, stop) = watch::channel(false);
    run_until(store, engine, Arc::new(|_| false), stop).await;
}

/// Like [`run`], until `stop` turns true: then what is under way is broken off, and is over when this returns. What
/// `locks` says of a gateway stays the same meanwhile.
pub async fn run_until(
    store: Arc<dyn Store>,
    engine: Arc<dyn Engine>,
    locks: Locks,
    mut stop: watch::Receiver<bool>,
) {
    let mut store_changes = store.watch();
    let mut engine_changes = engine.watch();
    let mut controller = Controller {
        known: store.view(),
        reconciler: Reconciler { store, engine, locks },
        queue: Queue::default(),
        runs: JoinSet::new(),
        items: HashMap::new(),
    };
    controller.wake_everything().await;
    let mut safety_net = interval_at(Instant::now() + SAFETY_NET, SAFETY_NET);
    loop {
        let next = controller.queue.tick(Instant::now());
        controller.start_runs();
        let pause = async {
            match next {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = store_changes.recv() => match changed {
                Ok(keys) => controller.store_changed(&keys),
                Err(RecvError::Lagged(_)) => controller.wake_everything().await,
                Err(RecvError::Closed) => return,
            },
            scope = engine_changes.recv() => match scope {
                Ok(scope) => {
                    controller.engine_changed(&scope);
                    // A crowd of wake-ups is taken in at once: a receiver that lags has to look at everything.
                    while let Ok(scope) = engine_changes.try_recv() {
                        controller.engine_changed(&scope);
                    }
                }
                Err(RecvError::Lagged(_)) => controller.wake_everything().await,
                Err(RecvError::Closed) => return,
            },
            Some(ended) = controller.runs.join_next_with_id() => controller.run_joined(ended),
            () = pause => {}
            () = stopped(&mut stop) => return controller.runs.shutdown().await,
            _ = safety_net.tick() => {
                controller.wake_everything().await;
                controller.forget_tokens().await;
            }
        }
    }
}

/// Waits until `stop` turns true. The guard that `wait_for` gives must not live on.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

struct Controller {
    reconciler: Reconciler,
    /// The snapshot that the last store event was read with: what is gone now is still in it.
    known: Arc<View>,
    queue: Queue,
    runs: JoinSet<Result<Settled, Trouble>>,
    /// What each run is for: a run that panicked can't say it itself.
    items: HashMap<Id, Item>,
}

impl Controller {
    /// Everything in the store, and everything in the data plane that the store does not know.
    async fn wake_everything(&mut self) {
        self.known = self.reconciler.store.view();
        let known = Arc::clone(&self.known);
        for record in known.records() {
            match record {
                Record::Network(network) => self.queue.wake(Item::Network(network.id)),
                Record::Gateway(gateway) => self.queue.wake(Item::Gateway(gateway.id)),
                _ => {}
            }
        }
        match self.reconciler.engine.list_scopes().await {
            Ok(scopes) => scopes.iter().for_each(|scope| self.engine_changed(scope)),
            Err(error) => tracing::warn!(%error, "the data plane can't be listed"),
        }
    }

    /// Removes client tokens that speak of nothing any more, so that the store does not grow with every creation.
    async fn forget_tokens(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = Millis(i64::try_from(now.as_millis()).unwrap_or(i64::MAX));
        // Part by part: others write in between.
        while !over_tokens(&self.reconciler.store.view(), now).is_empty() {
            let forget = move |view: &View| (over_tokens(view, now), ());
            if let Err(error) = transact(&*self.reconciler.store, forget).await {
                tracing::warn!(%error, "old client tokens were not removed");
                return;
            }
        }
    }

    fn store_changed(&mut self, keys: &[Key]) {
        let newest = self.reconciler.store.view();
        for key in keys.iter().filter(|key| is_open(&newest, **key)) {
            for view in [&self.known, &newest] {
                for item in items(view, *key) {
                    self.queue.wake(item);
                }
            }
        }
        self.known = newest;
    }

    fn engine_changed(&mut self, scope: &Scope) {
        if let Some(item) = Item::of_scope(scope) {
            self.queue.hear(item);
        }
    }

    fn start_runs(&mut self) {
        while self.queue.running() < RUNS_MAX {
            let Some(item) = self.queue.start() else { return };
            let reconciler = self.reconciler.clone();
            let run = self.runs.spawn(async move {
                // Any step may be broken off; the next run repairs.
                timeout(RUN_TIME_MAX, reconciler.run(item)).await.unwrap_or(Err(Trouble::TooLong))
            });
            self.items.insert(run.id(), item);
        }
    }

    fn run_joined(&mut self, joined: Result<(Id, Result<Settled, Trouble>), JoinError>) {
        let (id, result) = match joined {
            Ok((id, result)) => (id, result),
            // The panic itself was reported. The item is tried again, as after any other failure.
            Err(error) => (error.id(), Err(Trouble::Panicked)),
        };
        if let Some(item) = self.items.remove(&id) {
            self.run_ended(item, result);
        }
    }

    fn run_ended(&mut self, item: Item, result: Result<Settled, Trouble>) {
        let now = Instant::now();
        match result {
            Ok(Settled::Yes) => {
                self.queue.settled(item);
                if let Item::Network(network) = item {
                    self.wake_waiting_gateways(network);
                }
            }
            Ok(Settled::AfterNetwork(network)) => {
                self.queue.unsettled(item, now);
                self.queue.wake(Item::Network(network));
            }
            Ok(Settled::Later) => self.queue.unsettled(item, now),
            Ok(Settled::Failed) => self.queue.failed(item, now),
            Err(trouble) => {
                tracing::warn!(scope = %item.scope(), %trouble, "a reconciler run broke off");
                self.queue.failed(item, now);
            }
        }
    }

    fn wake_waiting_gateways(&mut self, network: NetworkId) {
        let view = self.reconciler.store.view();
        for record in view.children(network, Kind::Gateway) {
            if let Record::Gateway(gateway) = record
                && gateway.status.observed_generation < gateway.meta.generation
            {
                self.queue.wake(Item::Gateway(gateway.id));
            }
        }
    }
}

/// The removal of client tokens that are past their life, or whose subject is gone. One behind which another stands (see [`Token::id`]) stays
/// until that is gone: a look-up ends at the first number that is free.
///
/// [`Token::id`]: causeway_model::Token::id
fn over_tokens(view: &View, now: Millis) -> Vec<Write> {
    let stands_before_another = |id: TokenId| view.token(TokenId(id.0.wrapping_add(1))).is_some();
    let is_over = |token: &Token| {
        now.0 - token.used.0 > limits::CLIENT_TOKEN_LIFE_MS || view.record(token.subject).is_none()
    };
    let tokens = view.records().filter_map(|record| match record {
        Record::Token(token) if is_over(token) => Some(token.id),
        _ => None,
    });
    let last = tokens.filter(|id| !stands_before_another(*id));
    last.map(|id| Write::Delete(id.key())).take(TOKENS_FORGOTTEN_MAX).collect()
}

/// Whether what is wished may differ from what was seen. What concerns the data plane raises the generation, so that a
/// gateway or connection whose newest generation was seen to be carried has changed in its status or its label only.
fn is_open(newest: &View, key: Key) -> bool {
    match newest.record(key) {
        Some(Record::Gateway(it)) => it.meta.deleting || it.status.observed_generation < it.meta.generation,
        Some(Record::Connection(it)) => {
            it.meta.deleting || it.status.observed_generation < it.meta.generation
        }
        _ => true,
    }
}

/// The items that a change of a record concerns.
fn items(view: &View, key: Key) -> Vec<Item> {
    let Some(record) = view.record(key) else { return Vec::new() };
    match record {
        Record::Network(network) => vec![Item::Network(network.id)],
        Record::Subnet(subnet) => vec![Item::Network(subnet.network)],
        Record::Gateway(gateway) => {
            // The link to the router is the network's, and goes with the last gateway on it.
            let hangs_on_router = gateway.instances.iter().any(|instance| instance.subnet.is_none());
            let network = gateway.network.filter(|_| hangs_on_router && gateway.meta.deleting);
            network.map(Item::Network).into_iter().chain([Item::Gateway(gateway.id)]).collect()
        }
        Record::Connection(connection) => vec![Item::Gateway(connection.gateway)],
        Record::Route(_) | Record::CustomerGateway(_) => record
            .parents()
            .into_iter()
            .chain(view.children(key, Kind::Connection).flat_map(Record::parents))
            .filter(|parent| parent.kind == Kind::Gateway)
            .map(|parent| Item::Gateway(causeway_model::GatewayId(parent.id)))
            .collect(),
        Record::RouteTable(_) | Record::Order(_) | Record::Token(_) | Record::Tag(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use causeway_model::Token;

    use super::*;

    #[test]
    fn a_change_wakes_until_its_generation_was_seen() {
        let key = causeway_model::GatewayId(1).key();
        let is_open = |change: fn(&mut causeway_model::Gateway)| {
            let mut it = causeway_model::fixtures::gateway(1);
            it.status.observed_generation = 1;
            change(&mut it);
            let mut view = View::default();
            view.apply(&[Write::Put(it.into())]);
            is_open(&view, key)
        };
        assert!(!is_open(|_| {}));
        assert!(!is_open(|it| it.meta.name = "another".to_owned()));
        assert!(is_open(|it| it.meta.generation = 2));
        assert!(is_open(|it| it.meta.deleting = true));
        assert!(is_open(|it| it.status.observed_generation = 0));
        assert!(super::is_open(&View::default(), key), "it is gone");
    }

    fn token(id: u64, used: Millis) -> Write {
        // What it made is there: the token itself.
        let subject = TokenId(id).key();
        let fingerprint = causeway_model::Secret::new("0");
        Write::Put(Token { id: TokenId(id), scope: id.to_string(), fingerprint, subject, used }.into())
    }

    #[test]
    fn a_token_goes_with_what_it_made() {
        let now = Millis(1);
        let Write::Put(Record::Token(made)) = token(5, now) else { panic!("it is a token") };
        let gone = Token { subject: Key { kind: Kind::Gateway, id: 1 }, ..(*made).clone() };
        let mut view = View::default();
        view.apply(&[Write::Put(gone.into()), token(9, now)]);
        assert_eq!(over_tokens(&view, now), [Write::Delete(TokenId(5).key())]);
    }

    /// A look-up walks from number to number: a hole would hide what stands behind it.
    #[test]
    fn tokens_go_from_the_end_of_their_row() {
        let now = Millis(limits::CLIENT_TOKEN_LIFE_MS + 1);
        let mut view = View::default();
        view.apply(&[token(5, Millis(0)), token(6, Millis(0)), token(9, Millis(0)), token(10, now)]);
        assert_eq!(over_tokens(&view, now), [Write::Delete(TokenId(6).key())]);
        view.apply(&over_tokens(&view.clone(), now));
        assert_eq!(over_tokens(&view, now), [Write::Delete(TokenId(5).key())]);
        view.apply(&over_tokens(&view.clone(), now));
        assert_eq!(over_tokens(&view, now), [], "9 stands before 10, which is still remembered");
    }
}
