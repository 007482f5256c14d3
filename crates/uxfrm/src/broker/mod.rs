//! The broker: holds the IKE daemon's side of the XFRM sockets, and everything else that must survive the engine.
//!
//! It is a thread of the process that starts the IKE daemon. It answers the daemon's intercepted system calls, relays
//! netlink messages between daemon and engine, starts the engine as a child process and starts it again when it dies or
//! hangs. It keeps the engine's sockets and TUN queues open meanwhile, so that addresses, routes and the order of the
//! port-sharing group stay; and it keeps the policies (which hold no secrets). Keys it only passes on: the SAs that died
//! with an engine are made anew by rekeying, through VICI.

mod connection;
mod inbound_policies;
mod intercept;
mod journal;
mod only_one;
mod policy_change;
mod policy_routing;
mod process;
mod program;
mod recovery;
mod relay;
pub mod vici;

use crate::engine::EngineConfig;
use crate::sys::seccomp::Filter;
use crate::sys::{message, path_socket};
use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long an interface may take to come or go. An engine that dies meanwhile is told at once.
const INTERFACE_LIMIT: Duration = Duration::from_secs(20);

/// How a broker runs.
#[derive(Debug)]
pub struct BrokerConfig {
    pub engine: EngineConfig,
    /// Namespace of the engine's sockets and interfaces; `None` for the caller's.
    pub netns: Option<OwnedFd>,
    /// The daemon's VICI socket, for rekeying after an engine was restarted; `None` leaves that to the daemon.
    pub vici: Option<PathBuf>,
    /// The daemon gets an error when the engine has not answered after this long. One that waits for a lock of the kernel is
    /// given more time, here and below.
    pub request_timeout: Duration,
    /// An engine that leaves a request or ping unanswered for this long is killed and replaced.
    pub hang_timeout: Duration,
    /// Time between pings, at each of which the engine looks whether its workers get on; four times that while they have
    /// nothing to do.
    pub ping_interval: Duration,
    /// A Unix socket by which other programs (`uxfrm join -- ip xfrm state`) have their XFRM sockets served too.
    pub control: Option<PathBuf>,
    /// Interfaces outlive a broker that is killed, without a way out, so that what is routed into them is lost rather than
    /// sent in clear by another route; the next broker takes them over. They go with one that is dropped.
    pub persistent_interfaces: bool,
    /// Rules (ip-rule(8)) lead what policies without an `if_id` select into the interface of `if_id` 0; else routes into it are
    /// the operator's.
    pub lead_policies: bool,
    /// How long to wait for the first engine to bind its sockets.
    pub start_timeout: Duration,
}

impl Default for BrokerConfig {
    fn default() -> Self {
        Self {
            engine: EngineConfig::default(),
            netns: None,
            vici: None,
            request_timeout: Duration::from_millis(1000),
            hang_timeout: Duration::from_millis(1500),
            ping_interval: Duration::from_millis(500),
            control: None,
            persistent_interfaces: false,
            lead_policies: true,
            start_timeout: Duration::from_secs(5),
        }
    }
}

/// Why a broker could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    #[error("cannot set up the broker")]
    Setup(#[source] io::Error),
    /// With what the engine has said.
    #[error("the engine did not start: {0}")]
    EngineStart(String),
    /// By another broker of the same user, also where its engine has another port: both would own ESP and policies.
    #[error("this network namespace is served already, by another `uxfrm run` or broker")]
    AlreadyServed,
    #[error("no interface for if_id {0}: the engine said why on standard error")]
    Interface(u32),
    #[error("the interface of if_id {0} is in use by a policy or an SA")]
    InUse(u32),
    #[error("the broker's thread is gone")]
    Gone,
}

/// What the handle asks of the thread.
enum Ask {
    Listener(OwnedFd),
    Interface(u32, SyncSender<Option<String>>),
    Remove(u32, SyncSender<Option<String>>),
    EnginePid(SyncSender<Option<u32>>),
    /// The SPIs that the engine of this generation has; no answer from another.
    Spis(u32, SyncSender<BTreeSet<u32>>),
    Flush,
    Stop,
}

/// What this process's limit of descriptors was before a broker raised it. Daemons get that: some close all that they might
/// have, one by one.
static LIMIT_BEFORE: OnceLock<libc::rlimit> = OnceLock::new();

fn raise_descriptor_limit() {
    match crate::sys::raise_descriptor_limit() {
        // A second broker of the process finds it raised.
        Ok(before) => drop(LIMIT_BEFORE.get_or_init(|| before)),
        Err(error) => tracing::warn!(%error, "cannot raise the limit of open descriptors"),
    }
}

/// Asks the thread, from any other.
#[derive(Clone)]
struct Asker {
    asks: Sender<Ask>,
    wake: Arc<OwnedFd>,
}

impl Asker {
    fn ask(&self, ask: Ask) -> Result<(), BrokerError> {
        self.asks.send(ask).map_err(|_| BrokerError::Gone)?;
        crate::sys::signal(&self.wake);
        Ok(())
    }
}

/// A running broker. Dropping it stops the engine; an intercepted daemon should be stopped before.
pub struct Broker {
    asker: Asker,
    ended: OwnedFd,
    thread: Option<JoinHandle<()>>,
}

impl Broker {
    /// Starts the engine and waits until its sockets are bound: only then may the IKE daemon be started.
    ///
    /// # Errors
    /// [`BrokerError::EngineStart`], [`BrokerError::AlreadyServed`] and [`BrokerError::Setup`].
    pub fn start(config: BrokerConfig) -> Result<Self, BrokerError> {
        raise_descriptor_limit();
        let claim = only_one::claim(config.netns.as_ref()).map_err(BrokerError::Setup)?;
        let claim = claim.ok_or(BrokerError::AlreadyServed)?;
        let (sender, receiver): (Sender<Ask>, Receiver<Ask>) = channel();
        let wake = crate::sys::event_fd().map_err(BrokerError::Setup)?;
        let (ready, is_ready) = sync_channel(1);
        let (ended, ending) = message::pair().map_err(BrokerError::Setup)?;
        let start_timeout = config.start_timeout;
        let own_wake = wake.try_clone().map_err(BrokerError::Setup)?;
        let asker = Asker { asks: sender.clone(), wake: Arc::new(wake) };
        let relay = relay::Relay::new(config, receiver, asker.clone(), own_wake, claim, ready)
            .map_err(BrokerError::Setup)?;
        let thread = std::thread::Builder::new()
            .name("uxfrm-broker".into())
            .stack_size(256 * 1024)
            .spawn(move || {
                let _ending = ending;
                if let Err(error) = relay.run() {
                    tracing::error!(%error, "broker ended");
                }
            })
            .map_err(BrokerError::Setup)?;
        let this = Self { asker, ended, thread: Some(thread) };
        match is_ready.recv_timeout(start_timeout) {
            Ok(Ok(())) => Ok(this),
            Ok(Err(reason)) => Err(BrokerError::EngineStart(reason)),
            Err(_) => Err(BrokerError::EngineStart(format!("it took more than {start_timeout:?}"))),
        }
    }

    fn ask(&self, ask: Ask) -> Result<(), BrokerError> {
        self.asker.ask(ask)
    }

    /// Prepares a command so that its XFRM sockets are served by this broker: the IKE daemon, or `ip xfrm`. The command
    /// runs in whatever network namespace it is started in, which should be the engine's.
    ///
    /// # Errors
    /// [`BrokerError::Setup`]; spawning the command fails where seccomp notification is not permitted.
    pub fn intercept(&self, command: &mut Command) -> Result<(), BrokerError> {
        let (ours, theirs) = message::pair().map_err(BrokerError::Setup)?;
        self.ask(Ask::Listener(ours))?;
        let filter = Filter::new();
        let limit = LIMIT_BEFORE.get().copied();
        let install = move || {
            limit.as_ref().map_or(Ok(()), crate::sys::set_descriptor_limit)?;
            let listener = filter.install()?;
            let byte = [0u8];
            let iovec = libc::iovec { iov_base: byte.as_ptr().cast_mut().cast(), iov_len: 1 };
            message::send_raw(theirs.as_raw_fd(), &[iovec], Some(listener.as_raw_fd()), libc::MSG_NOSIGNAL)
        };
        // SAFETY: between fork and exec this only makes system calls on memory that was prepared before: it neither
        // allocates nor takes a lock. The listener closes in the child when `install` returns.
        unsafe { command.pre_exec(install) };
        Ok(())
    }

    /// Makes sure that the interface of an `if_id` exists and is up, and returns its name. Interfaces also come by
    /// themselves with the first policy or SA that names them.
    ///
    /// # Errors
    /// [`BrokerError::Interface`], [`BrokerError::Gone`].
    pub fn ensure_interface(&self, if_id: u32) -> Result<String, BrokerError> {
        let (sender, receiver) = sync_channel(1);
        self.ask(Ask::Interface(if_id, sender))?;
        let name = receiver.recv_timeout(INTERFACE_LIMIT).map_err(|_| BrokerError::Gone)?;
        name.ok_or(BrokerError::Interface(if_id))
    }

    /// Removes the interface of an `if_id`.
    ///
    /// # Errors
    /// [`BrokerError::InUse`] while a policy or an SA names it, [`BrokerError::Gone`].
    pub fn remove_interface(&self, if_id: u32) -> Result<(), BrokerError> {
        let (sender, receiver) = sync_channel(1);
        self.ask(Ask::Remove(if_id, sender))?;
        let removed = receiver.recv_timeout(INTERFACE_LIMIT).map_err(|_| BrokerError::Gone)?;
        removed.map(drop).ok_or(BrokerError::InUse(if_id))
    }

    /// Removes all SAs and policies: for a daemon that was killed, so that the next one finds nothing of it.
    ///
    /// # Errors
    /// [`BrokerError::Gone`].
    pub fn flush(&self) -> Result<(), BrokerError> {
        self.ask(Ask::Flush)
    }

    /// Readable once the broker's thread has ended, for whatever reason: the daemon has no IPsec any more then, and should
    /// be ended too.
    pub fn ended(&self) -> BorrowedFd<'_> {
        self.ended.as_fd()
    }

    /// The engine's process id, while one runs.
    pub fn engine_pid(&self) -> Option<u32> {
        let (sender, receiver) = sync_channel(1);
        self.ask(Ask::EnginePid(sender)).ok()?;
        receiver.recv_timeout(Duration::from_secs(5)).ok()?
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // Gone already is stopped.
        let _ = self.ask(Ask::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Joins a running broker: this process's XFRM sockets are served by it from now on, over `exec` too.
///
/// # Errors
/// Where no broker listens at `control`, or seccomp notification is not permitted.
pub fn join(control: &std::path::Path) -> io::Result<()> {
    let stream = path_socket::connect_seqpacket(control)?;
    let listener = Filter::new().install()?;
    message::send(stream.as_fd(), &[&[0]], Some(listener.as_fd()), true)
}
