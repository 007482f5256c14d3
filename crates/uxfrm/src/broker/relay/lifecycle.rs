//! The engine's life: started, brought up to date, watched, replaced.

use super::{
    Ask, Asker, Engine, FIRST_BACKOFF, Kind, LONGEST_BACKOFF, Pending, Relay, STABLE, Token, recovery,
};
use std::collections::BTreeSet;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

/// One engine of those that follow each other, as recovery asks it.
struct Generation {
    asker: Asker,
    number: u32,
}

impl recovery::Engine for Generation {
    fn spis(&self) -> Option<BTreeSet<u32>> {
        let (sender, receiver) = sync_channel(1);
        self.asker.ask(Ask::Spis(self.number, sender)).ok()?;
        receiver.recv_timeout(Duration::from_secs(10)).ok()
    }
}

/// How long an engine that waits for the kernel counts as neither late nor hung: the next one would wait for the same.
const KERNEL_PATIENCE: Duration = Duration::from_secs(20);
/// Time between looks whether it still does.
const KERNEL_LOOK: Duration = Duration::from_millis(50);

/// By how much longer an idle engine is not pinged.
const IDLE_FACTOR: u32 = 4;

/// What an engine has not done in time.
#[derive(Default)]
struct Overdue {
    /// Requests, by their numbers.
    requests: Vec<u32>,
    ping: bool,
    start: bool,
}

impl Relay {
    /// A new engine serves: it gets the policies, the interfaces that were asked for, and what waited.
    pub(super) fn engine_ready(&mut self) {
        let Some(engine) = &mut self.engine else { return };
        engine.ready = true;
        self.listened = 0;
        self.tell_groups();
        let Some(engine) = &mut self.engine else { return };
        // Errors mean that it died again, which the link's end will say.
        for request in self.journal.requests() {
            let _ = engine.send(Kind::Request, 0, request);
        }
        for (kind, if_id, _) in &self.interface_asks {
            let _ = engine.send(*kind, *if_id, &[]);
        }
        self.send_queued();
        match self.ready.take() {
            Some(ready) => {
                if let Some(routing) = &mut self.routing {
                    routing.clean();
                }
                drop(ready.try_send(Ok(())));
            }
            None => self.recover(),
        }
    }

    fn recover(&self) {
        let Some(path) = self.config.vici.clone() else { return };
        let generation = Generation { asker: self.asker.clone(), number: self.engine_starts };
        let thread = std::thread::Builder::new().name("uxfrm-recovery".into()).stack_size(256 * 1024);
        if let Err(error) = thread.spawn(move || recovery::run(&path, &generation)) {
            tracing::error!(%error, "cannot start recovery");
        }
    }

    /// Answers what the dead engine left unanswered, and plans the next one.
    pub(super) fn engine_gone(&mut self) {
        if self.engine.take().is_some_and(|engine| engine.ready) {
            // Whoever asked is told; asking the next engine again could end it the same way.
            self.interface_asks.clear();
        } else {
            self.program.failed();
        }
        self.ping_pending = None;
        (self.look_again, self.excused_until) = (None, None);
        self.engine_active = true;
        self.spi_asks.clear();
        self.spis.clear();
        let waiting: Vec<_> = self.queued.iter().map(|(number, _)| *number).collect();
        let lost: Vec<_> = self.pending.keys().copied().filter(|n| !waiting.contains(n)).collect();
        for number in lost {
            self.fail(number);
            self.pending.remove(&number);
            self.release(number);
        }
        if self.engine_since.elapsed() > STABLE {
            self.backoff = FIRST_BACKOFF;
        }
        self.restart_at = Some(Instant::now() + self.backoff);
        self.backoff = (self.backoff * 2).min(LONGEST_BACKOFF);
    }

    /// An idle engine is left in peace longer: there is little that it could hang in, and nobody who waits for it.
    fn ping_interval(&self) -> Duration {
        self.config.ping_interval * if self.engine_active { 1 } else { IDLE_FACTOR }
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let answerable = self.pending.values().filter(|p| !p.late);
        let requests = answerable.map(|p| self.late_at(p)).min();
        let running = self.engine.as_ref().filter(|engine| engine.ready);
        let ping = running.map(|_| match self.ping_pending {
            Some(since) => since + self.config.hang_timeout,
            None => self.last_ping + self.ping_interval(),
        });
        let starting = self.engine.as_ref().filter(|engine| !engine.ready);
        let start = starting.map(|_| self.engine_since + self.config.start_timeout);
        let routing = self.routing.as_ref().and_then(|routing| routing.retry_at);
        let engines = [requests, ping, start].into_iter().flatten();
        // Those that have come wait until the kernel is looked at again.
        let engines = engines.map(|at| self.look_again.map_or(at, |look| at.max(look)));
        engines.chain(self.restart_at).chain(routing).min()
    }

    /// Whether something that is due since then is to wait, as the engine waits for the kernel or did so a moment ago, or has
    /// spoken since this thread last listened: it may have been stopped in between.
    fn is_excused(&mut self, due: Instant, now: Instant) -> bool {
        if self.engine.as_ref().is_some_and(Engine::has_spoken) {
            return now < due + KERNEL_PATIENCE;
        }
        if self.engine.as_ref().is_some_and(Engine::waits_for_kernel) {
            self.excused_until = Some(now + self.config.request_timeout);
        }
        now < due + KERNEL_PATIENCE && self.excused_until.is_some_and(|until| now < until)
    }

    /// When a request counts as not answered in time: one after the other is served, and as long as one is, those behind it wait.
    fn late_at(&self, pending: &Pending) -> Instant {
        pending.since.max(self.heard) + self.config.request_timeout
    }

    /// What the engine should have done by now: answered requests and a ping, and started. Nothing while it waits for the
    /// kernel.
    fn overdue(&mut self, now: Instant) -> Overdue {
        let answerable = self.pending.iter().filter(|(_, p)| !p.late);
        let mut overdue = Overdue {
            requests: answerable.filter(|(_, p)| now >= self.late_at(p)).map(|(number, _)| *number).collect(),
            ping: self.ping_pending.is_some_and(|since| now >= since + self.config.hang_timeout),
            start: self.engine.as_ref().is_some_and(|engine| !engine.ready)
                && now >= self.engine_since + self.config.start_timeout,
        };
        self.look_again = None;
        let requests =
            overdue.requests.iter().filter_map(|number| self.pending.get(number)).map(|p| self.late_at(p));
        let ping = self.ping_pending.filter(|_| overdue.ping).map(|since| since + self.config.hang_timeout);
        let start = overdue.start.then_some(self.engine_since + self.config.start_timeout);
        let first = requests.chain(ping).chain(start).min();
        if first.is_some_and(|due| self.is_excused(due, now)) {
            self.look_again = Some(now + KERNEL_LOOK);
            overdue = Overdue::default();
        }
        overdue
    }

    pub(super) fn run_timers(&mut self) {
        let now = Instant::now();
        if self.restart_at.is_some_and(|at| now >= at) {
            self.start_engine();
        }
        if let Some(routing) = self.routing.as_mut().filter(|r| r.retry_at.is_some_and(|at| now >= at)) {
            routing.refresh();
        }
        let overdue = self.overdue(now);
        let hung = !overdue.requests.is_empty() && self.ping_pending.is_none();
        overdue.requests.into_iter().for_each(|number| self.fail(number));
        let interval = self.ping_interval();
        let Some(engine) = self.engine.as_mut() else { return };
        if !engine.ready {
            if overdue.start {
                tracing::error!(pid = engine.pid(), "the engine does not start: it is killed");
                self.engine_gone();
            }
            return;
        }
        if overdue.ping {
            tracing::error!(pid = engine.pid(), "the engine hangs: it is killed");
            self.engine_gone();
        } else if self.ping_pending.is_none() && (hung || now >= self.last_ping + interval) {
            self.last_ping = now;
            self.ping_pending = Some(now);
            // One that cannot be sent counts as no answer.
            let _ = engine.send(Kind::Ping, 0, &[]);
        }
    }

    fn start_engine(&mut self) {
        self.restart_at = None;
        self.engine_starts += 1;
        self.engine_since = Instant::now();
        let started = Engine::start(&self.program.choose(), &self.config, &self.kept).and_then(|engine| {
            self.epoll.add(engine.link(), Token::Engine.encode())?;
            Ok(engine)
        });
        match started {
            Ok(engine) => self.engine = Some(engine),
            Err(error) => {
                tracing::error!(%error, "cannot start an engine");
                self.engine_gone();
            }
        }
    }
}
