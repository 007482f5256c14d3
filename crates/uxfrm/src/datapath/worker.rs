//! A worker: one thread that moves packets both ways between its queue of every interface and its outer sockets.
//!
//! One thread for both ways saves wake-ups: what a packet provokes at once (the kernel's answer to a ping, an
//! acknowledgement) waits in the other direction's queue by the time the first is delivered, and is found without sleeping.

use super::IDLE_RELEASE_MS;
use super::busy_poll::{BusyPoll, Direction};
use super::counters::add;
use super::interface::Interface;
use super::moderation::Moderation;
use super::receive::{Inbound, Kind};
use super::shared::{Cached, Shared, WorkerSockets};
use super::transmit::Outbound;
use crate::engine::EngineConfig;
use crate::sys;
use crate::sys::run_delay::RunDelay;
use crate::sys::wait::Waiter;
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a descriptor is: an interface's queue has its `if_id` as token, which has 32 bits.
const WAKE: u64 = 1 << 32;
const SOCKETS: u64 = 2 << 32;
/// Where no packet came for so long, the next is moved on alone and at once instead of looking for more to go with it.
const LULL: Duration = Duration::from_micros(20);

/// A worker's state.
pub struct Worker {
    shared: Arc<Shared>,
    index: usize,
    cached: Cached,
    waiter: Waiter,
    busy_poll: BusyPoll,
    moderation: Moderation,
    /// When it last came to its work, and how long it had been idle before.
    woke: Instant,
    idle: Duration,
    /// Keeps the queues open for as long as they are watched.
    watched: HashMap<u32, Arc<Interface>>,
    outbound: Outbound,
    inbound: Inbound,
}

impl WorkerSockets {
    /// Those that packets come from.
    fn sources(&self) -> [(Option<&OwnedFd>, Kind); 4] {
        [
            (self.udp_v4.as_ref(), Kind::Udp),
            (self.udp_v6.as_ref(), Kind::Udp),
            (self.raw_v4.as_ref(), Kind::RawV4),
            (self.raw_v6.as_ref(), Kind::RawV6),
        ]
    }
}

impl Worker {
    /// # Errors
    /// Where packet memory cannot be had.
    pub fn new(shared: Arc<Shared>, index: usize, config: &EngineConfig) -> io::Result<Self> {
        Ok(Self {
            outbound: Outbound::new(shared.clone(), index)?,
            inbound: Inbound::new(shared.clone(), index)?,
            shared,
            index,
            cached: Cached::default(),
            waiter: Waiter::new()?,
            busy_poll: BusyPoll::new(config.busy_poll),
            moderation: Moderation::new(config.moderation),
            woke: Instant::now(),
            idle: Duration::ZERO,
            watched: HashMap::new(),
        })
    }

    /// Works for ever.
    ///
    /// # Errors
    /// Of poll, which no packet can provoke.
    pub fn run(mut self) -> io::Result<()> {
        let shared = self.shared.clone();
        let sources = shared.sockets[self.index].sources();
        self.waiter.add(shared.wake(self.index).as_fd(), WAKE)?;
        for (index, (socket, _)) in sources.iter().enumerate() {
            if let Some(socket) = socket {
                self.waiter.add(socket.as_fd(), SOCKETS + index as u64)?;
            }
        }
        sys::sleep_exactly();
        // Where nobody knows whether there is a CPU to spare, none is asked for.
        let run_delay = (shared.efforts.len() > 1).then(RunDelay::of_this_thread).flatten();
        let (mut ready, mut dirty) = (Vec::new(), false);
        let heartbeat = &shared.heartbeats[self.index];
        loop {
            heartbeat.waits();
            let timeout = dirty.then_some(Duration::from_millis(IDLE_RELEASE_MS));
            let after_lull = self.wait(&mut ready, timeout)? >= LULL;
            heartbeat.works();
            if let Some(run_delay) = &run_delay {
                self.note_effort(run_delay);
            }
            if ready.is_empty() && dirty {
                self.outbound.release()?;
                self.inbound.release()?;
                dirty = false;
            }
            for token in ready.drain(..) {
                heartbeat.works();
                match token {
                    WAKE => {
                        sys::clear(shared.wake(self.index));
                        self.inbound.refresh(&mut self.cached);
                        self.watch()?;
                        continue;
                    }
                    SOCKETS.. => {
                        if let Some((Some(socket), kind)) = sources.get((token - SOCKETS) as usize) {
                            let moved = self.inbound.drain(&mut self.cached, socket, *kind, after_lull);
                            self.moderation.moved(moved);
                            self.busy_poll.worked(Direction::Inbound);
                            if after_lull {
                                self.look_for_answer();
                            }
                        }
                    }
                    if_id => {
                        self.drain_interface(if_id as u32, after_lull);
                        self.busy_poll.worked(Direction::Outbound);
                    }
                }
                dirty = true;
            }
            shared.rest(self.index);
        }
    }

    /// Waits for packets: pauses first where they come fast, or looks for a moment where they used to come soon. Returns
    /// for how long none came, as far as is known.
    fn wait(&mut self, ready: &mut Vec<u64>, timeout: Option<Duration>) -> io::Result<Duration> {
        ready.clear();
        let start = Instant::now();
        self.idle = Duration::ZERO;
        if let Some(pause) = self.moderation.pause(start) {
            std::thread::sleep(pause);
            self.idle = pause;
            self.waiter.wait(Some(Duration::ZERO), ready)?;
            if !ready.is_empty() {
                return Ok(Duration::ZERO);
            }
        }
        if let Some(limit) = self.busy_poll.limit() {
            // What is found at once was there before: however long that took, it was no idleness.
            let mut first = true;
            loop {
                self.waiter.wait(Some(Duration::ZERO), ready)?;
                if !ready.is_empty() || start.elapsed() >= limit {
                    break;
                }
                // Whoever else has work for this CPU goes first.
                std::thread::yield_now();
                first = false;
            }
            self.busy_poll.looked(!ready.is_empty());
            if !ready.is_empty() {
                let elapsed = start.elapsed();
                self.idle = if first { self.idle } else { elapsed };
                return Ok(elapsed);
            }
        }
        self.waiter.wait(timeout, ready)?;
        self.idle = start.elapsed();
        Ok(self.idle)
    }

    /// Says how much of the time since the last wait was work, or waiting for a CPU, and looks at the others.
    fn note_effort(&mut self, run_delay: &RunDelay) {
        let (now, shared) = (Instant::now(), &self.shared);
        let elapsed = now.saturating_duration_since(std::mem::replace(&mut self.woke, now));
        let (effort, spread) = (&shared.efforts[self.index], &mut self.inbound.spread);
        effort.worked(elapsed.saturating_sub(self.idle));
        if spread.is_due(now) {
            run_delay.read().into_iter().for_each(|so_far| effort.waited(so_far));
            if spread.look(now, &shared.efforts) {
                add(&shared.counters.spreads, 1);
            }
        }
    }

    /// A lone packet was delivered: what it provokes at once waits already. Many interfaces are left to the next wait.
    fn look_for_answer(&mut self) {
        let mut only = self.watched.keys();
        if let (Some(&if_id), None) = (only.next(), only.next())
            && self.drain_interface(if_id, true) > 0
        {
            self.busy_poll.worked(Direction::Outbound);
        }
    }

    /// Returns how many packets were taken from it.
    fn drain_interface(&mut self, if_id: u32, one: bool) -> usize {
        let Some(interface) = self.watched.get(&if_id) else { return 0 };
        self.inbound.refresh(&mut self.cached);
        match self.outbound.drain(&self.cached.picture.view, interface, one) {
            Ok(moved) => {
                self.moderation.moved(moved);
                moved.packets
            }
            Err(_) => {
                // One packet could not be had; or the interface was deleted: its queue is dead then, and would be
                // reported as ready for ever.
                let queue = &interface.queues[self.index];
                if !queue.is_attached() {
                    self.waiter.remove(queue.fd.as_fd());
                }
                0
            }
        }
    }

    /// Watches the interfaces that came, and forgets those that went.
    fn watch(&mut self) -> io::Result<()> {
        let (current, waiter) = (&self.cached.picture.interfaces, &mut self.waiter);
        self.watched.retain(|if_id, interface| {
            let stays = current.get(if_id).is_some_and(|now| Arc::ptr_eq(now, interface));
            if !stays {
                waiter.remove(interface.queues[self.index].fd.as_fd());
            }
            stays
        });
        for (if_id, interface) in current.iter() {
            if !self.watched.contains_key(if_id) {
                waiter.add(interface.queues[self.index].fd.as_fd(), u64::from(*if_id))?;
                self.watched.insert(*if_id, interface.clone());
            }
        }
        Ok(())
    }
}
