//! Packets that come before the keys of their SA.
//!
//! Who answers a negotiation's last request has the new SA whole and may send by it at once (RFC 7296 section 2.8 says so of
//! rekeying, and nothing else of a first SA). The one that asked has the SA's SPI by then, and its keys only when the daemon has
//! read the answer, which the packets may overtake. The kernel loses those; here they wait for the keys.

use super::IDLE_RELEASE_MS;
use super::counters::add;
use super::receive::Kind;
use super::shared::Shared;
use crate::database::View;
use crate::sys::receive::Received;
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How long a packet waits at most: longer than a daemon takes that has to wait for a CPU. What comes later is of no more use.
const WAIT_MAX: Duration = Duration::from_secs(1);
const _: () = assert!(WAIT_MAX.as_millis() < IDLE_RELEASE_MS as u128, "an idle worker leaves none behind");
/// What waits for keys at one worker, at most; only who knows an SPI that was just given out can fill it.
const MAX_PACKETS: usize = 256;
const MAX_BYTES: usize = 128 * 1024;

/// One ESP packet, with what its datagram said.
pub struct Waiting {
    pub datagram: Received,
    pub kind: Kind,
    /// Its bytes, where `datagram` says that they lie.
    pub region: Vec<u8>,
    spi: u32,
    came: Instant,
}

/// Those of one worker, the oldest first.
#[derive(Default)]
pub struct Early {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    /// Some came since [`Early::has_news`] was asked last.
    news: bool,
}

impl Early {
    /// Keeps a packet if its SPI waits for keys and there is room; whether it did.
    pub fn keep(
        &mut self,
        shared: &Shared,
        view: &View,
        datagram: &Received,
        kind: Kind,
        (spi, packet): (u32, &[u8]),
    ) -> bool {
        if datagram.local.is_none_or(|local| view.larval.get(&(local, spi)).is_none()) {
            return false;
        }
        self.forget_late(shared);
        if self.waiting.len() >= MAX_PACKETS || self.bytes + packet.len() > MAX_BYTES {
            return false;
        }
        self.bytes += packet.len();
        let datagram = Received { start: 0, len: packet.len(), segment: packet.len(), ..*datagram };
        // Without the IP header, which nobody asks for any more.
        let kind = if kind == Kind::RawV4 { Kind::RawV6 } else { kind };
        self.waiting.push_back(Waiting {
            datagram,
            kind,
            region: packet.to_vec(),
            spi,
            came: Instant::now(),
        });
        // Before the picture is looked at again: whoever publishes the keys sees either this or is seen.
        shared.early.fetch_add(1, Ordering::SeqCst);
        add(&shared.counters.early, 1);
        self.news = true;
        true
    }

    /// Whether packets came since the last call: their keys may have come meanwhile, and nobody else looks.
    pub fn has_news(&mut self) -> bool {
        std::mem::take(&mut self.news)
    }

    /// The oldest packet that need not wait any longer: its SA has keys and its interface the policies that let packets in,
    /// which daemons give last; or its SPI is nobody's any more.
    pub fn take_ready(&mut self, shared: &Shared, view: &View) -> Option<Waiting> {
        self.forget_late(shared);
        let ready = |packet: &Waiting| {
            let local = packet.datagram.local?;
            let Some(state) = view.inbound.get(&(local, packet.spi)) else {
                return Some(view.larval.get(&(local, packet.spi)).is_none());
            };
            let policies = view.interfaces.get(&state.if_id);
            Some(
                policies.is_some_and(|policies| !policies.inbound.is_empty() || !policies.forward.is_empty()),
            )
        };
        let at = self.waiting.iter().position(|packet| ready(packet) == Some(true))?;
        self.take(shared, at)
    }

    /// Lets go what has waited too long: its keys did not come, and perhaps nothing else changes either.
    pub fn forget_late(&mut self, shared: &Shared) {
        while self.waiting.front().is_some_and(|packet| packet.came.elapsed() > WAIT_MAX) {
            self.take(shared, 0);
            add(&shared.counters.unknown_spi, 1);
        }
    }

    fn take(&mut self, shared: &Shared, at: usize) -> Option<Waiting> {
        let packet = self.waiting.remove(at)?;
        self.bytes -= packet.region.len();
        shared.early.fetch_sub(1, Ordering::SeqCst);
        Some(packet)
    }

    /// As [`Early::forget_late`], for a worker that has had nothing to do; whether nothing is left, nor the memory for it.
    pub fn release(&mut self, shared: &Shared) -> bool {
        self.forget_late(shared);
        self.waiting.shrink_to_fit();
        self.waiting.is_empty()
    }

    /// As if all that waits had come long ago.
    #[cfg(test)]
    pub fn make_late(&mut self) {
        self.waiting.iter_mut().for_each(|packet| packet.came -= WAIT_MAX * 2);
    }
}
