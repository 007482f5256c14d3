//! From the outer sockets to an interface.

use super::counters::add;
use super::early::Early;
use super::interface::Writer;
use super::isolation::isolated;
pub use super::opener::Opener;
use super::shared::{Cached, Shared};
use super::spread::Spread;
use super::{Moved, TURN_LEN};
use crate::inner::coalesce::Coalescer;
use crate::sys;
use crate::sys::receive::Receiver;
use std::os::fd::AsFd;
use std::sync::Arc;

/// Batches of one socket in a row before another gets its turn.
const BUDGET: usize = 32;

/// The receiving half of a worker.
pub struct Inbound {
    shared: Arc<Shared>,
    worker: usize,
    receiver: Receiver,
    opener: Opener,
    pub spread: Spread,
}

/// What an outer socket delivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// ESP in UDP.
    Udp,
    /// With the IP header before ESP.
    RawV4,
    /// ESP alone.
    RawV6,
}

impl Inbound {
    pub fn new(shared: Arc<Shared>, worker: usize) -> std::io::Result<Self> {
        Ok(Self {
            shared,
            worker,
            receiver: Receiver::new()?,
            opener: Opener {
                coalescer: Coalescer::new(false),
                now: 0,
                local: Arc::default(),
                early: Early::default(),
            },
            spread: Spread::new(worker),
        })
    }

    /// Brings the worker's copy of the picture up to date, and opens what waited for it.
    pub fn refresh(&mut self, cached: &mut Cached) {
        if self.shared.refresh(self.worker, cached) {
            self.opener.local = cached.picture.local.clone();
            self.opener.coalescer.udp = cached.picture.udp_segmentation;
            self.opener.now = sys::unix_seconds();
            let (interfaces, counters) = (&cached.picture.interfaces, &self.shared.counters);
            let mut writer = Writer { spread: &mut self.spread, interfaces, counters };
            self.opener.waiting(&self.shared, &cached.picture.view, &mut writer);
        }
    }

    /// Lets go what has waited too long for its keys: with none waiting it costs a look.
    pub fn forget_late(&mut self) {
        self.opener.early.forget_late(&self.shared);
    }

    /// Gives packet memory back; whether all of it, as no packet waits for its keys any more.
    ///
    /// # Errors
    /// Of madvise.
    pub fn release(&mut self) -> std::io::Result<bool> {
        self.receiver.region.release()?;
        Ok(self.opener.early.release(&self.shared))
    }

    /// Takes what waits on a socket; with `one` a single datagram, without looking for more. Errors that ICMP messages left
    /// on it are taken off and mean nothing here.
    pub fn drain(
        &mut self,
        cached: &mut Cached,
        socket: &std::os::fd::OwnedFd,
        kind: Kind,
        one: bool,
    ) -> Moved {
        let (mut batches, mut bytes, mut packets) = (0, 0, 0);
        while batches < BUDGET && bytes < TURN_LEN {
            batches += 1;
            let more = match self.receiver.receive(socket.as_fd(), one) {
                Ok(more) => more,
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {
                    return Moved { packets, more: false };
                }
                Err(_) => continue,
            };
            self.refresh(cached);
            self.opener.now = sys::unix_seconds();
            let counters = &self.shared.counters;
            let interfaces = &cached.picture.interfaces;
            let mut writer = Writer { spread: &mut self.spread, interfaces, counters };
            add(&counters.receive_calls, 1);
            let (region, view) = (&mut self.receiver.region[..], &cached.picture.view);
            let received = &self.receiver.received;
            bytes += received.iter().map(|datagram| datagram.len).sum::<usize>();
            self.opener.isolated_batch(&self.shared, view, region, received, kind, &mut writer);
            let coalescer = &mut self.opener.coalescer;
            if !isolated(counters, || coalescer.flush(region, &mut writer)) {
                self.opener.coalescer.discard();
            }
            if self.opener.early.has_news() {
                self.refresh(cached);
            }
            packets += self.receiver.received.len();
            if one || !more {
                return Moved { packets, more: false };
            }
        }
        Moved { packets, more: true }
    }
}

#[cfg(test)]
#[path = "receive_tests.rs"]
mod tests;
