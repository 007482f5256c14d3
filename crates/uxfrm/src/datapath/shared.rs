//! What the control thread gives to the workers.

use super::counters::PathCounters;
use super::dont_fragment::DontFragment;
use super::generation::Generations;
use super::heartbeat::Heartbeat;
use super::interface::Interface;
use super::local_addresses::LocalAddresses;
use super::notice::Notifier;
use super::spares::Spares;
use super::spread::Effort;
use crate::database::View;
use crate::database::snapshot_map::SnapshotMap;
use crate::esp::iv::IvCounter;
use crate::sys;
use std::collections::HashSet;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two looks at the workers: a tenth of what a batch takes.
const SETTLE_PAUSE: Duration = Duration::from_micros(20);

/// The picture that workers use until the next one.
#[derive(Clone, Default)]
pub struct Picture {
    pub view: Arc<View>,
    pub interfaces: SnapshotMap<u32, Arc<Interface>>,
    /// All interfaces take UDP super-packets.
    pub udp_segmentation: bool,
    pub local: Arc<LocalAddresses>,
}

/// Shared by all threads of an engine.
pub struct Shared {
    picture: Mutex<Picture>,
    generations: Generations,
    /// Wakes each worker when interfaces came or went.
    wakes: Vec<OwnedFd>,
    /// Packets that wait for keys, at all workers.
    pub early: AtomicUsize,
    pub heartbeats: Vec<Heartbeat>,
    pub efforts: Vec<Effort>,
    pub spares: Vec<Spares>,
    pub counters: PathCounters,
    pub ivs: IvCounter,
    pub notifier: Notifier,
    pub sockets: Vec<WorkerSockets>,
    /// The shared port of ESP in UDP.
    pub port: u16,
}

/// One worker's outer sockets. Where IPv6 or plain ESP is not there, neither is the socket.
#[derive(Default)]
pub struct WorkerSockets {
    pub udp_v4: Option<OwnedFd>,
    pub udp_v6: Option<OwnedFd>,
    /// For sending: never waited on, so that the kernel wakes nobody when it frees a sent packet.
    pub send_v4: Option<OwnedFd>,
    pub send_v6: Option<OwnedFd>,
    pub send_v4_fragmentation: DontFragment,
    /// Worker 0 only: the kernel gives every raw socket a copy of each packet.
    pub raw_v4: Option<OwnedFd>,
    pub raw_v6: Option<OwnedFd>,
    pub raw_v4_fragmentation: DontFragment,
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
            generations: Generations::of(sockets.len()),
            wakes: sockets.iter().map(|_| sys::event_fd()).collect::<Result<_, _>>()?,
            early: AtomicUsize::new(0),
            heartbeats: sockets.iter().map(|_| Heartbeat::default()).collect(),
            efforts: sockets.iter().map(|_| Effort::default()).collect(),
            spares: sockets.iter().map(|_| Spares::default()).collect(),
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
        self.generations.advance();
        if self.early.load(Ordering::SeqCst) > 0 {
            self.wake_all();
        }
        before
    }

    /// Wakes the workers, so that those that sleep use the picture as it is now.
    pub fn wake_all(&self) {
        self.wakes.iter().for_each(sys::signal);
    }

    /// Replaces the list of this host's addresses.
    pub fn set_local_addresses(&self, all: HashSet<IpAddr>) {
        self.picture.lock().unwrap_or_else(PoisonError::into_inner).local = Arc::new(LocalAddresses(all));
        self.generations.advance();
    }

    /// Adds or replaces an interface and wakes the workers, which watch its queues from then on.
    pub fn add_interface(&self, interface: Interface) {
        self.change_interfaces(|interfaces| drop(interfaces.insert(interface.if_id, Arc::new(interface))));
    }

    /// Takes an interface away and wakes the workers, which let it go. Who drops the last one waits for the kernel.
    pub fn remove_interface(&self, if_id: u32) -> Option<Arc<Interface>> {
        let mut removed = None;
        self.change_interfaces(|interfaces| {
            removed = interfaces.get(&if_id).cloned();
            drop(interfaces.remove(&if_id));
        });
        removed
    }

    fn change_interfaces(&self, change: impl FnOnce(&mut SnapshotMap<u32, Arc<Interface>>)) {
        let mut picture = self.picture.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut picture.interfaces);
        let takes_udp =
            |interface: &Arc<Interface>| interface.queues.iter().all(|queue| queue.udp_segmentation);
        let all_take_udp = picture.interfaces.values().all(takes_udp);
        picture.udp_segmentation = all_take_udp;
        drop(picture);
        self.generations.advance();
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

    /// Waits until no worker works by a picture that is older than the one that was published last, so that what follows (an
    /// answer to the daemon) comes after the last packet by the old one. Whether that came within `limit`.
    pub fn settle(&self, limit: Duration) -> bool {
        let (start, generation) = (Instant::now(), self.generations.newest());
        self.spares.iter().enumerate().all(|(worker, spares)| {
            // A worker ends its work only after what it has handed over was sent, or was given up: that may still be.
            while self.generations.is_behind(worker, generation) || spares.is_late() {
                if start.elapsed() >= limit {
                    return false;
                }
                std::thread::sleep(SETTLE_PAUSE);
            }
            true
        })
    }

    /// A worker has nothing to do: it holds up nobody.
    pub fn rest(&self, worker: usize) {
        self.generations.rest(worker);
    }

    /// Brings a worker's copy up to date, by which it works until it rests; whether it changed.
    pub fn refresh(&self, worker: usize, cached: &mut Cached) -> bool {
        let generation = self.generations.work(worker);
        if generation == cached.generation {
            return false;
        }
        cached.picture = self.picture();
        cached.generation = generation;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datapath::notice;

    #[test]
    fn a_change_waits_for_workers_that_use_the_old_picture() {
        let (notifier, _notices) = notice::channel().unwrap();
        let shared =
            Shared::new(vec![WorkerSockets::default(), WorkerSockets::default()], notifier, 4500).unwrap();
        let mut cached = Cached::default();
        let (short, long) = (Duration::from_millis(5), Duration::from_secs(5));
        assert!(shared.settle(short), "nobody works");
        assert!(shared.refresh(0, &mut cached));
        assert!(shared.settle(short), "by the picture of now");
        shared.publish(Arc::default());
        assert!(!shared.settle(short), "worker 0 works by the one before");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(20));
                shared.rest(0);
            });
            assert!(shared.settle(long));
        });
        assert!(shared.refresh(1, &mut cached), "another picture");
        assert!(!shared.refresh(1, &mut cached));
        shared.publish(Arc::default());
        assert!(!shared.settle(short));
        shared.refresh(1, &mut cached);
        assert!(shared.settle(short), "it has come to the new one by itself");
    }
}
