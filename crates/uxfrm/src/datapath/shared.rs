//! What the control thread gives to the workers.

use super::counters::PathCounters;
use super::interface::Interface;
use super::notice::Notifier;
use crate::database::View;
use crate::database::snapshot_map::SnapshotMap;
use crate::esp::iv::IvCounter;
use crate::sys;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The picture that workers use until the next one.
#[derive(Clone, Default)]
pub struct Picture {
    pub view: Arc<View>,
    pub interfaces: SnapshotMap<u32, Arc<Interface>>,
    /// All interfaces take UDP super-packets.
    pub udp_segmentation: bool,
}

/// Shared by all threads of an engine.
pub struct Shared {
    picture: Mutex<Picture>,
    generation: AtomicU64,
    /// Wakes each worker when interfaces came or went.
    wakes: Vec<OwnedFd>,
    pub counters: PathCounters,
    pub ivs: IvCounter,
    pub notifier: Notifier,
    pub sockets: Vec<WorkerSockets>,
    /// The shared port of ESP in UDP.
    pub port: u16,
}

/// One worker's outer sockets. Where IPv6 or plain ESP is not there, neither is the socket.
pub struct WorkerSockets {
    pub udp_v4: Option<OwnedFd>,
    pub udp_v6: Option<OwnedFd>,
    /// For sending: never waited on, so that the kernel wakes nobody when it frees a sent packet.
    pub send_v4: Option<OwnedFd>,
    pub send_v6: Option<OwnedFd>,
    /// Worker 0 only: the kernel gives every raw socket a copy of each packet.
    pub raw_v4: Option<OwnedFd>,
    pub raw_v6: Option<OwnedFd>,
}

/// A worker's copy of the picture, renewed when the generation moves on: one atomic load per batch.
#[derive(Default)]
pub struct Cached {
    generation: u64,
    pub picture: Picture,
}

impl Shared {
    /// One worker for each of `sockets`.
    ///
    /// # Errors
    /// Where no IV source or event descriptor can be had.
    pub fn new(sockets: Vec<WorkerSockets>, notifier: Notifier, port: u16) -> std::io::Result<Self> {
        Ok(Self {
            picture: Mutex::default(),
            generation: AtomicU64::new(1),
            wakes: sockets.iter().map(|_| sys::event_fd()).collect::<Result<_, _>>()?,
            counters: PathCounters::default(),
            ivs: IvCounter::start()?,
            notifier,
            sockets,
            port,
        })
    }

    /// Replaces the view, and returns the one before, which workers may still use: whoever lets it go last frees it.
    pub fn publish(&self, view: Arc<View>) -> Arc<View> {
        let mut picture = self.picture.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut picture.view, view);
        drop(picture);
        self.generation.fetch_add(1, Ordering::Release);
        before
    }

    /// Wakes the workers, so that those that sleep use the picture as it is now.
    pub fn wake_all(&self) {
        self.wakes.iter().for_each(sys::signal);
    }

    /// Adds or replaces an interface and wakes the workers, which watch its queues from then on.
    pub fn add_interface(&self, interface: Interface) {
        self.change_interfaces(|interfaces| drop(interfaces.insert(interface.if_id, Arc::new(interface))));
    }

    /// Takes an interface away and wakes the workers, which close its queues.
    pub fn remove_interface(&self, if_id: u32) {
        self.change_interfaces(|interfaces| drop(interfaces.remove(&if_id)));
    }

    fn change_interfaces(&self, change: impl FnOnce(&mut SnapshotMap<u32, Arc<Interface>>)) {
        let mut picture = self.picture.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut picture.interfaces);
        let takes_udp =
            |interface: &Arc<Interface>| interface.queues.iter().all(|queue| queue.udp_segmentation);
        let all_take_udp = picture.interfaces.values().all(takes_udp);
        picture.udp_segmentation = all_take_udp;
        drop(picture);
        self.generation.fetch_add(1, Ordering::Release);
        self.wake_all();
    }

    /// The picture now.
    pub fn picture(&self) -> Picture {
        self.picture.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The descriptor that wakes a worker.
    pub fn wake(&self, worker: usize) -> &OwnedFd {
        &self.wakes[worker]
    }

    /// Brings a worker's copy up to date; whether it changed.
    pub fn refresh(&self, cached: &mut Cached) -> bool {
        let generation = self.generation.load(Ordering::Acquire);
        if generation == cached.generation {
            return false;
        }
        cached.picture = self.picture();
        cached.generation = generation;
        true
    }
}
