//! The broker's thread: one loop over the daemon's calls and messages, the engine's answers, and timers.

mod kept;
mod lifecycle;
mod requests;
mod routing;
mod token;

use super::connection::Connection;
use super::intercept::{self, Outcome};
use super::journal::{self, Journal};
use super::only_one::Claim;
use super::process::{self, Engine};
use super::program::Program;
use super::{Ask, Asker, BrokerConfig, recovery};
use crate::engine::link::{self, Buffer, Kind};
use crate::engine::sockets::{TUN_PREFIX, kept_prefix};
use crate::engine::watchers;
use crate::sys::epoll::{Epoll, Ready};
use crate::sys::netlink_pair::PairMaker;
use crate::sys::{self, message, path_socket, seccomp};
use requests::Pending;
use routing::Routing;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::{Duration, Instant};
use token::Token;
use zeroize::Zeroizing;

/// Descriptors that are left for the daemon's sockets, other programs', and the next engine's link.
const RESERVED_DESCRIPTORS: u64 = 24;
/// Wait before a dead engine is replaced, doubled each time it dies within [`STABLE`].
const FIRST_BACKOFF: Duration = Duration::from_millis(20);
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);
const STABLE: Duration = Duration::from_secs(10);

pub(super) struct Relay {
    config: BrokerConfig,
    asks: Receiver<Ask>,
    /// For threads that this one starts.
    asker: Asker,
    wake: OwnedFd,
    claim: Claim,
    ready: Option<SyncSender<Result<(), String>>>,
    /// Why the last engine has ended, in its words.
    failure: Option<String>,
    control: Option<OwnedFd>,
    epoll: Epoll,
    program: Program,
    engine: Option<Engine>,
    engine_since: Instant,
    engine_starts: u32,
    backoff: Duration,
    restart_at: Option<Instant>,
    last_ping: Instant,
    ping_pending: Option<Instant>,
    /// When the engine has said something last.
    heard: Instant,
    /// When to look again whether an engine that is late still waits for the kernel.
    look_again: Option<Instant>,
    /// Until when one that did is given the time to do what it owes.
    excused_until: Option<Instant>,
    /// Its workers had something to do lately.
    engine_active: bool,
    /// Multicast groups that the engine was told somebody listens to.
    listened: u32,
    kept: BTreeMap<String, Arc<OwnedFd>>,
    journal: Journal,
    routing: Option<Routing>,
    connections: HashMap<u32, Connection>,
    maker: PairMaker,
    sources: HashMap<u32, OwnedFd>,
    listeners: HashMap<u32, OwnedFd>,
    pending: HashMap<u32, Pending>,
    queued: VecDeque<(u32, Zeroizing<Vec<u8>>)>,
    /// Which interface is to come ([`Kind::Interface`]) or go ([`Kind::Remove`]), and who wants to know.
    interface_asks: Vec<(Kind, u32, SyncSender<Option<String>>)>,
    /// Who wants to know the engine's SPIs, and those that it has said so far.
    spi_asks: Vec<SyncSender<BTreeSet<u32>>>,
    spis: BTreeSet<u32>,
    next_id: u32,
    stop: bool,
}

impl Relay {
    pub fn new(
        config: BrokerConfig,
        asks: Receiver<Ask>,
        asker: Asker,
        wake: OwnedFd,
        claim: Claim,
        ready: SyncSender<Result<(), String>>,
    ) -> io::Result<Self> {
        let epoll = Epoll::new()?;
        epoll.add(wake.as_fd(), Token::Wake.encode())?;
        if let Some(claim) = claim.socket() {
            epoll.add(claim, Token::Claim.encode())?;
        }
        if let Some(stats) = &config.engine.stats {
            for path in [stats.clone(), watchers::path(stats)] {
                path_socket::make_room(&path, true)?;
            }
        }
        let control = config.control.as_ref().map(|path| path_socket::listen_seqpacket(path));
        let control = control.transpose()?;
        if let Some(control) = &control {
            epoll.add(control.as_fd(), Token::Control.encode())?;
        }
        let routing = config.lead_policies.then(|| Routing::new(&config)).transpose()?;
        if let Some(routing) = &routing {
            epoll.add(routing.changes.as_fd(), Token::Network.encode())?;
        }
        Ok(Self {
            config,
            asks,
            asker,
            wake,
            claim,
            ready: Some(ready),
            failure: None,
            control,
            epoll,
            program: Program::new(),
            engine: None,
            engine_since: Instant::now(),
            engine_starts: 0,
            backoff: FIRST_BACKOFF,
            restart_at: Some(Instant::now()),
            last_ping: Instant::now(),
            ping_pending: None,
            heard: Instant::now(),
            look_again: None,
            excused_until: None,
            engine_active: true,
            listened: 0,
            kept: BTreeMap::new(),
            journal: Journal::default(),
            routing,
            connections: HashMap::new(),
            maker: PairMaker::new()?,
            sources: HashMap::new(),
            listeners: HashMap::new(),
            pending: HashMap::new(),
            queued: VecDeque::new(),
            interface_asks: Vec::new(),
            spi_asks: Vec::new(),
            spis: BTreeSet::new(),
            next_id: 1,
            stop: false,
        })
    }

    fn id(&mut self) -> u32 {
        self.next_id = self.next_id.wrapping_add(1).max(1);
        self.next_id
    }

    /// Serves until it is told to stop, or the first engine cannot be started. What goes wrong with one socket, process or
    /// call ends that alone: the daemon and the engine depend on this thread.
    pub fn run(mut self) -> io::Result<()> {
        let mut buffer = Buffer::new();
        while !self.stop {
            let timeout = self.next_deadline().map(|at| at.saturating_duration_since(Instant::now()));
            for event in self.epoll.wait(timeout)? {
                self.event(event, &mut buffer);
            }
            // After what has come: where this thread was held up, an engine's answer waits that is not late.
            self.run_timers();
            if self.engine.is_none() && self.ready.is_some() && self.engine_starts > 0 {
                let nothing = || "it said nothing (try: uxfrm probe)".to_owned();
                let reason = self.failure.take().unwrap_or_else(nothing);
                self.ready.take().into_iter().for_each(|ready| drop(ready.try_send(Err(reason.clone()))));
                return Err(io::Error::other(format!("the first engine did not start: {reason}")));
            }
            self.watch_for_room();
        }
        if let Some(routing) = &mut self.routing {
            routing.end();
        }
        self.let_go(TUN_PREFIX);
        Ok(())
    }

    /// Has epoll say when there is room for what waits.
    fn watch_for_room(&mut self) {
        if let Some(engine) = self.engine.as_mut().filter(|engine| engine.is_waiting() != engine.wants_room) {
            engine.wants_room = engine.is_waiting();
            let watched = self.epoll.modify(engine.link(), Token::Engine.encode(), true, engine.wants_room);
            if let Err(error) = watched {
                tracing::error!(%error, "cannot watch the engine");
                self.engine_gone();
            }
        }
        let epoll = &self.epoll;
        self.connections.retain(|id, c| c.watch(epoll, Token::Connection(*id).encode()).is_ok());
    }

    fn event(&mut self, event: Ready, buffer: &mut Buffer) {
        match Token::decode(event.token) {
            Token::Wake => self.serve_asks(),
            Token::Engine => {
                if let Some(engine) = self.engine.as_mut().filter(|_| event.writable) {
                    engine.flush();
                }
                self.serve_engine(buffer)
            }
            Token::Control => self.serve_control(),
            Token::Claim => self.claim.serve(),
            Token::Network => self.serve_network(),
            Token::Source(id) => self.serve_source(id),
            Token::Listener(id) => self.serve_listener(id, event),
            Token::Connection(id) => {
                if let Some(connection) = self.connections.get_mut(&id).filter(|_| event.writable) {
                    connection.flush();
                }
                if event.readable || event.hung_up {
                    self.serve_connection(id);
                }
            }
        }
    }

    fn serve_control(&mut self) {
        // A client that went away meanwhile is no error.
        let Some(Ok(source)) = self.control.as_ref().map(|control| message::accept(control.as_fd())) else {
            return;
        };
        self.add_source(source);
    }

    fn serve_network(&mut self) {
        let Some(routing) = &mut self.routing else { return };
        routing.changes.clear();
        routing.refresh();
    }

    fn add_source(&mut self, source: OwnedFd) {
        let id = self.id();
        if !sys::leaves_room(source.as_fd(), process::START_DESCRIPTORS) {
            tracing::error!(
                "too many open descriptors: a process is turned away that wants its XFRM sockets served"
            );
            return;
        }
        match self.epoll.add(source.as_fd(), Token::Source(id).encode()) {
            Ok(()) => drop(self.sources.insert(id, source)),
            Err(error) => tracing::error!(%error, "cannot serve a process"),
        }
    }

    fn serve_asks(&mut self) {
        sys::clear(&self.wake);
        while let Ok(ask) = self.asks.try_recv() {
            match ask {
                Ask::Stop => self.stop = true,
                Ask::EnginePid(reply) => {
                    let _ = reply.try_send(self.engine.as_ref().map(Engine::pid));
                }
                Ask::Spis(generation, reply) => self.ask_spis(generation, reply),
                Ask::Listener(source) => self.add_source(source),
                Ask::Flush => self.flush(),
                Ask::Interface(if_id, reply) => self.ask_interface(Kind::Interface, if_id, reply),
                Ask::Remove(if_id, reply) => self.ask_interface(Kind::Remove, if_id, reply),
            }
        }
    }

    fn ask_spis(&mut self, generation: u32, reply: SyncSender<BTreeSet<u32>>) {
        let current = generation == self.engine_starts;
        if let Some(engine) = self.engine.as_mut().filter(|engine| engine.ready && current)
            && engine.send(Kind::Spis, 0, &[]).is_ok()
        {
            self.spi_asks.push(reply);
        }
    }

    fn ask_interface(&mut self, kind: Kind, if_id: u32, reply: SyncSender<Option<String>>) {
        self.interface_asks.push((kind, if_id, reply));
        if let Some(engine) = self.engine.as_mut().filter(|engine| engine.ready) {
            // Where the engine is dead, the next one is asked again.
            let _ = engine.send(kind, if_id, &[]);
        }
    }

    /// A process that was prepared by `intercept` sends its listener; the end of the source means no more will come.
    fn serve_source(&mut self, id: u32) {
        let Some(source) = self.sources.get(&id) else { return };
        let mut byte = [0];
        match message::receive(source.as_fd(), &mut byte, false) {
            Ok(Some((1, Some(listener)))) => {
                let id = self.id();
                match self.epoll.add(listener.as_fd(), Token::Listener(id).encode()) {
                    Ok(()) => drop(self.listeners.insert(id, listener)),
                    Err(error) => tracing::error!(%error, "cannot serve a process"),
                }
            }
            Ok(None) => {}
            _ => drop(self.sources.remove(&id)),
        }
    }

    fn serve_listener(&mut self, id: u32, event: Ready) {
        if !event.readable {
            // Hung up: all processes under the filter have ended.
            self.listeners.remove(&id);
        } else if let Err(error) = self.serve_call(id) {
            tracing::error!(%error, "cannot answer a process");
        }
    }

    fn serve_call(&mut self, id: u32) -> io::Result<()> {
        let Some(listener) = self.listeners.get(&id) else { return Ok(()) };
        let Some(call) = seccomp::receive(listener.as_fd())? else { return Ok(()) };
        let connections = std::cell::RefCell::new(self.connections.values_mut().collect::<Vec<_>>());
        let find = |inode| {
            let mut all = connections.borrow_mut();
            let position = all.iter().position(|c| c.inode == inode)?;
            Some(all.swap_remove(position))
        };
        let outcome = intercept::answer(listener.as_fd(), &call, self.config.engine.port, &self.maker, find)?;
        drop(connections);
        if let Outcome::Opened(connection) = outcome {
            let id = self.id();
            self.epoll.add(connection.server(), Token::Connection(id).encode())?;
            self.connections.insert(id, connection);
        }
        // Before the caller, which goes on from its `bind` now, can ask for anything.
        self.tell_groups();
        Ok(())
    }

    fn serve_engine(&mut self, buffer: &mut Buffer) {
        while let Some(engine) = &self.engine {
            let mut message = match link::receive(engine.link(), buffer, false) {
                Ok(Some(message)) => message,
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(%error, "the engine is gone");
                    self.engine_gone();
                    return;
                }
            };
            // Whatever it says, it lives: a long answer may be before that to the ping.
            self.heard = Instant::now();
            self.ping_pending = self.ping_pending.map(|_| self.heard);
            match message.kind {
                Kind::Reply => self.reply(message.number, message.body),
                Kind::Done => self.done(message.number, message.body),
                Kind::Event => {
                    let (group, body) = (message.number, &*message.body);
                    self.connections.values_mut().for_each(|c| c.deliver_event(group, body));
                    let expired = journal::expired_policies(body);
                    drop(message);
                    expired.into_iter().for_each(|key| self.expired(key));
                }
                Kind::Ping => {
                    self.ping_pending = None;
                    self.engine_active = message.number != 0;
                }
                Kind::Keep => {
                    let descriptor = message.descriptor.take();
                    self.keep(String::from_utf8_lossy(message.body).into_owned(), descriptor);
                }
                Kind::Interface | Kind::Remove => {
                    let (kind, if_id) = (message.kind, message.number);
                    let name = String::from_utf8_lossy(message.body).into_owned();
                    let name = (!name.is_empty()).then_some(name);
                    if kind == Kind::Remove && name.is_some() {
                        self.let_go(&kept_prefix(if_id));
                    }
                    let asked = |(k, id, _): &mut (Kind, u32, _)| *k == kind && *id == if_id;
                    for (_, _, reply) in self.interface_asks.extract_if(.., asked) {
                        let _ = reply.try_send(name.clone());
                    }
                }
                Kind::Spis => {
                    self.spis.extend(message.body.as_chunks().0.iter().map(|spi| u32::from_ne_bytes(*spi)));
                    if message.number == 0 {
                        let spis = std::mem::take(&mut self.spis);
                        self.spi_asks.drain(..).for_each(|reply| drop(reply.try_send(spis.clone())));
                    }
                }
                Kind::Ready => {
                    drop(message);
                    self.engine_ready();
                }
                Kind::Failed => {
                    let reason = String::from_utf8_lossy(message.body).into_owned();
                    tracing::error!(reason, "the engine ends");
                    self.failure = Some(reason);
                }
                Kind::Request | Kind::Listen => tracing::warn!("the engine sent a request"),
            }
        }
    }
}
