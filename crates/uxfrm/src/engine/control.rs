//! The control thread: requests, timers, notices of the workers, statistics. It sleeps unless one of them calls.

mod requests;

use super::config::EngineConfig;
use super::link::{self, Buffer, Kind};
use super::readers::Readers;
use super::report::Report;
use super::retired::Retired;
use super::say;
use super::sockets::Kept;
use super::watchers::Watchers;
use crate::database::{Clock, Database};
use crate::datapath::heartbeat::Watch;
use crate::datapath::notice::{self, Notice, Notices};
use crate::datapath::worker::Worker;
use crate::datapath::{Shared, WORKER_STACK_LEN};
use crate::sys::epoll::Epoll;
use crate::sys::path_socket::{self, StreamListener};
use crate::sys::tun::{self, Queue};
use crate::sys::{self, addresses, socket};
use crate::xfrm::event::Event;
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const LINK: u64 = 0;
const NOTICES: u64 = 1;
const STATS: u64 = 2;
const EVENTS: u64 = 3;
const ADDRESSES: u64 = 4;
/// How long a request may wait for workers that are in the middle of a batch: they take some tenths of a millisecond, unless they do
/// not get a CPU.
const SETTLE_LIMIT: Duration = Duration::from_millis(100);
const READERS: u64 = 5;

/// The control thread's state.
pub struct Control {
    link: OwnedFd,
    config: EngineConfig,
    database: Database,
    shared: Arc<Shared>,
    notices: Notices,
    /// See [`socket::path_mtu_learner`].
    _path_mtu_learner: Option<OwnedFd>,
    /// Readable when this host's addresses change.
    addresses: OwnedFd,
    /// Kept descriptors of interfaces that nobody has asked for yet.
    kept: HashMap<String, OwnedFd>,
    stats: Option<StreamListener>,
    readers: Readers,
    watchers: Option<Watchers>,
    retired: Retired,
    watch: Watch,
}

/// Takes over what an earlier engine left with the broker.
fn receive_kept(link: &OwnedFd) -> io::Result<HashMap<String, OwnedFd>> {
    let (mut kept, mut buffer) = (HashMap::new(), Buffer::new());
    loop {
        let Some(mut message) = link::receive(link.as_fd(), &mut buffer, true)? else { continue };
        match (message.kind, message.descriptor.take()) {
            (Kind::Keep, Some(descriptor)) => {
                kept.insert(String::from_utf8_lossy(message.body).into_owned(), descriptor);
            }
            // This process has no room for it: it will be opened anew, or not at all.
            (Kind::Keep, None) => {}
            (Kind::Ready, _) => return Ok(kept),
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

impl Control {
    /// Opens everything and starts the workers. When this returns, the outer sockets are bound.
    ///
    /// # Errors
    /// The port is taken, or a privilege is missing.
    pub fn start(link: OwnedFd, config: EngineConfig) -> io::Result<Self> {
        let mut kept = Kept { descriptors: receive_kept(&link)?, link: link.as_fd() };
        let workers = config.worker_count();
        let sockets = kept.worker_sockets(&config)?;
        let (notifier, notices) = notice::channel()?;
        let shared = Arc::new(Shared::new(sockets, notifier, config.port)?);
        let interfaces = kept.kept_interfaces();
        let kept = kept.descriptors;
        let stats = config.stats.as_ref().map(|path| path_socket::listen_stream(path)).transpose()?;
        let watchers = config.stats.as_ref().map(|path| Watchers::new(path)).transpose()?;
        let addresses = addresses::changes()?;
        shared.set_local_addresses(addresses::all()?);
        // Where there are no raw sockets, or no IPv6, there is nothing to learn for.
        let learner = shared.sockets.first().and_then(|sockets| sockets.raw_v6.as_ref());
        let _path_mtu_learner = learner.map(|_| socket::path_mtu_learner()).transpose()?;
        let mut this = Self {
            link,
            config,
            database: Database::for_workers(workers as u32),
            shared,
            notices,
            _path_mtu_learner,
            addresses,
            kept,
            stats,
            readers: Readers::new()?,
            watchers,
            retired: Retired::default(),
            watch: Watch::default(),
        };
        for if_id in interfaces {
            // The other tunnels must not wait for one whose interface cannot be had again.
            if let Err(error) = this.ensure_interface(if_id) {
                say(format_args!("interface {if_id}: {error}"));
            }
        }
        this.start_workers(workers)?;
        Ok(this)
    }

    fn start_workers(&self, workers: usize) -> io::Result<()> {
        for index in 0..workers {
            let worker = Worker::new(self.shared.clone(), index, &self.config)?;
            spawn(format!("worker-{index}"), move || worker.run())?;
        }
        // Those that started after an interface was made must look for it.
        (0..workers).for_each(|worker| sys::signal(self.shared.wake(worker)));
        Ok(())
    }

    /// Serves until the broker is gone.
    ///
    /// # Errors
    /// Of the link and of epoll; the process ends then and the broker starts another.
    pub fn run(mut self) -> io::Result<()> {
        let epoll = Epoll::new()?;
        epoll.add(self.link.as_fd(), LINK)?;
        epoll.add(self.notices.as_fd(), NOTICES)?;
        epoll.add(self.readers.as_fd(), READERS)?;
        epoll.add(self.addresses.as_fd(), ADDRESSES)?;
        if let Some(stats) = &self.stats {
            epoll.add(stats.as_fd(), STATS)?;
        }
        if let Some(watchers) = &self.watchers {
            epoll.add(watchers.as_fd(), EVENTS)?;
        }
        link::send(self.link.as_fd(), Kind::Ready, 0, &[], None, true)?;
        let mut buffer = Buffer::new();
        let mut deadline: Option<u64> = None;
        loop {
            let now = sys::monotonic_ms();
            let timeout = deadline.map(|at| Duration::from_millis(at.saturating_sub(now)));
            for event in epoll.wait(timeout)? {
                match event.token {
                    LINK => match self.serve_link(&mut buffer) {
                        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                        result => result?,
                    },
                    NOTICES => self.serve_notices()?,
                    EVENTS => self.watchers.iter_mut().for_each(|watchers| {
                        watchers.forget_gone();
                        watchers.accept();
                    }),
                    READERS => self.readers.answer(|| Report::take(&self.database, &self.shared)),
                    ADDRESSES => self.serve_addresses(),
                    _ => self.serve_stats(),
                }
            }
            let clock = self.clock();
            let (events, next, changed) = self.database.run_timers(clock);
            self.publish(changed);
            if changed {
                self.shared.settle(SETTLE_LIMIT);
            }
            self.send_events(events)?;
            let wake = self.retired.free(sys::monotonic_ms(), &self.shared);
            deadline = next.into_iter().chain(wake).min();
        }
    }

    fn clock(&mut self) -> Clock {
        let clock = Clock { wall: sys::unix_seconds(), monotonic: sys::monotonic_ms() };
        self.database.follow(clock);
        clock
    }

    fn serve_link(&mut self, buffer: &mut Buffer) -> io::Result<()> {
        // What came before this engine (the broker's journal) is shown to the data path all at once.
        let (mut unpublished, mut unsettled) = (false, false);
        while let Some(message) = link::receive(self.link.as_fd(), buffer, false)? {
            let link = self.link.as_fd();
            match message.kind {
                Kind::Request => self.serve_request(message, &mut unpublished, &mut unsettled)?,
                Kind::Ping => {
                    let found = self.watch.look(self.shared.heartbeats.iter(), sys::monotonic_ms());
                    if let Some(worker) = found.stuck {
                        // The broker starts another engine.
                        return Err(io::Error::other(format!("worker-{worker} hangs")));
                    }
                    link::send(link, Kind::Ping, found.active.into(), &[], None, true)?;
                }
                Kind::Interface => {
                    let if_id = message.number;
                    drop(message);
                    let name = match self.ensure_interface(if_id) {
                        Ok(()) => self.config.name_of(if_id),
                        Err(error) => {
                            say(format_args!("interface {if_id}: {error}"));
                            String::new()
                        }
                    };
                    link::send(self.link.as_fd(), Kind::Interface, if_id, name.as_bytes(), None, true)?;
                }
                Kind::Remove => {
                    let if_id = message.number;
                    drop(message);
                    let removed = self.remove_interface(if_id);
                    let body: &[u8] = if removed { b"gone" } else { b"" };
                    link::send(self.link.as_fd(), Kind::Remove, if_id, body, None, true)?;
                }
                Kind::Spis => self.send_spis()?,
                Kind::Listen => self.database.listen(message.number),
                _ => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
        self.publish(unpublished);
        Ok(())
    }

    /// Removes an interface that no policy and no SA names. It is gone then, though workers may still have its queues: the next
    /// one of that name is another.
    fn remove_interface(&mut self, if_id: u32) -> bool {
        if self.database.names_interface(if_id) {
            return false;
        }
        let removed = self.shared.remove_interface(if_id);
        // Where somebody has deleted it, the name may be another's by now.
        if let Some(interface) = removed.as_ref().filter(|it| it.queues.iter().any(Queue::is_attached))
            && let Err(error) = tun::remove(&interface.name)
        {
            say(format_args!("interface {if_id} goes when it is used no longer: {error}"));
        }
        self.retired.push_interface(removed);
        self.kept.retain(|name, _| !name.starts_with(&super::sockets::kept_prefix(if_id)));
        true
    }

    fn ensure_interface(&mut self, if_id: u32) -> io::Result<()> {
        if let Some(interface) = self.shared.picture().interfaces.get(&if_id) {
            if interface.queues.iter().all(Queue::is_attached) {
                return Ok(());
            }
            // Somebody has deleted it: another one takes its place.
            let removed = self.shared.remove_interface(if_id);
            self.retired.push_interface(removed);
        }
        let (name, picture) = (self.config.name_of(if_id), self.shared.picture());
        if let Some(other) = picture.interfaces.values().find(|other| other.name == name) {
            // Its queues would be shared, and the packets of both with them.
            let text = format!("{name} is the interface of {} (see --interface-name)", other.if_id);
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
        }
        let mut kept = Kept { descriptors: std::mem::take(&mut self.kept), link: self.link.as_fd() };
        let interface = kept.interface(if_id, &self.config);
        self.kept = kept.descriptors;
        self.shared.add_interface(interface?);
        Ok(())
    }

    fn publish(&mut self, changed: bool) {
        if !changed {
            return;
        }
        for if_id in self.database.take_named_interfaces() {
            if let Err(error) = self.ensure_interface(if_id) {
                say(format_args!("interface {if_id}: {error}"));
            }
        }
        self.retired.push(self.shared.publish(Arc::new(self.database.view())));
    }

    fn serve_notices(&mut self) -> io::Result<()> {
        let waiting: Vec<_> = self.notices.drain().collect();
        let (mut events, mut changed, clock) = (Vec::new(), false, self.clock());
        for notice in waiting {
            let event = match notice {
                Notice::Limit { id, limit } => {
                    changed |= limit == crate::datapath::association::LimitReached::Hard;
                    self.database.limit_reached(&id, limit)
                }
                Notice::Mapping { id, source, port } => {
                    self.database.mapping_changed(&id, source, port, clock)
                }
                Notice::Acquire { policy_index, flow } => self.database.acquire(policy_index, &flow, clock),
            };
            events.extend(event);
        }
        self.publish(changed);
        self.send_events(events)
    }

    fn serve_addresses(&self) {
        addresses::clear(self.addresses.as_fd());
        match addresses::all() {
            Ok(all) => self.shared.set_local_addresses(all),
            Err(error) => say(format_args!("addresses: {error}")),
        }
    }

    fn send_events(&mut self, events: Vec<Event>) -> io::Result<()> {
        for event in events {
            if let Some(watchers) = &mut self.watchers {
                watchers.tell(&event);
            }
            link::send(self.link.as_fd(), Kind::Event, event.group, &event.message, None, true)?;
        }
        Ok(())
    }

    fn serve_stats(&mut self) {
        match self.stats.as_mut().and_then(StreamListener::accept) {
            Some(stream) => self.readers.add(stream),
            // For want of a descriptor, perhaps.
            None => self.watchers.iter_mut().for_each(Watchers::forget_gone),
        }
    }
}

fn spawn(name: String, work: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<()> {
    let label = name.clone();
    thread::Builder::new().name(name).stack_size(WORKER_STACK_LEN).spawn(move || {
        sys::prefer_this_thread();
        // A worker that ends would leave the engine half dead: end it whole, and the broker starts another.
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        say(format_args!("{label} ended: {:?}", result.map_err(|_| "panic")));
        std::process::exit(70);
    })?;
    Ok(())
}
