//! The engine's life: started, brought up to date, watched, replaced.

use super::{Ask, Asker, Engine, FIRST_BACKOFF, Kind, LONGEST_BACKOFF, Relay, STABLE, Token, recovery};
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

/// By how much longer an idle engine is not pinged.
const IDLE_FACTOR: u32 = 4;

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
        let requests = answerable.map(|p| p.since + self.config.request_timeout).min();
        let running = self.engine.as_ref().filter(|engine| engine.ready);
        let ping = running.map(|_| match self.ping_pending {
            Some(since) => since + self.config.hang_timeout,
            None => self.last_ping + self.ping_interval(),
        });
        let starting = self.engine.as_ref().filter(|engine| !engine.ready);
        let start = starting.map(|_| self.engine_since + self.config.start_timeout);
        let routing = self.routing.as_ref().and_then(|routing| routing.retry_at);
        [requests, ping, start, self.restart_at, routing].into_iter().flatten().min()
    }

    pub(super) fn run_timers(&mut self) {
        let now = Instant::now();
        if self.restart_at.is_some_and(|at| now >= at) {
            self.start_engine();
        }
        if let Some(routing) = self.routing.as_mut().filter(|r| r.retry_at.is_some_and(|at| now >= at)) {
            routing.refresh();
        }
        let late: Vec<_> = self
            .pending
            .iter()
            .filter(|(_, p)| !p.late && now >= p.since + self.config.request_timeout)
            .map(|(number, _)| *number)
            .collect();
        let hung = !late.is_empty() && self.ping_pending.is_none();
        late.into_iter().for_each(|number| self.fail(number));
        let interval = self.ping_interval();
        let Some(engine) = self.engine.as_mut() else { return };
        if !engine.ready {
            if now >= self.engine_since + self.config.start_timeout {
                tracing::error!(pid = engine.pid(), "the engine does not start: it is killed");
                self.engine_gone();
            }
            return;
        }
        if self.ping_pending.is_some_and(|since| now >= since + self.config.hang_timeout) {
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
