//! One SA on several cores when sending. All that is received by an SA is opened by one worker, and the kernel hands what is
//! sent to the queue by which a flow's other direction was written to the interface. So a worker that is full deals the flows it
//! delivers out to everybody's queues: what is sent by them follows. A worker that is not full keeps them, since
//! it finds the answers to what it delivers without waking anybody.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Flows are dealt out by hash.
const BUCKETS: usize = 1024;
/// A bucket that was not dealt out.
const NOBODY: u8 = u8::MAX;
/// Between two looks at what the workers do.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Shares of a second, in percent. A worker that works so much of its time is full,
const FULL: u64 = 90;
/// one that works less than this has room for others' flows,
const ROOM: u64 = 70;
/// and where all together work less than this, one is enough.
const CALM: u64 = 50;
/// How long it must be full, and how long calm must last: a flow that changes its queue may overtake itself.
const FULL_FOR: Duration = Duration::from_millis(200);
const CALM_FOR: Duration = Duration::from_secs(2);

/// How long a worker has worked since it started. Only the worker adds to it.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Effort(AtomicU64);

impl Effort {
    /// Adds what it took since it last waited.
    pub fn worked(&self, time: Duration) {
        let nanoseconds = self.0.load(Ordering::Relaxed).wrapping_add(time.as_nanos() as u64);
        self.0.store(nanoseconds, Ordering::Relaxed);
    }

    fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Which queue each flow is delivered by.
pub struct Spread {
    own: usize,
    /// Where the flows of a bucket go; empty while all go to the own queue.
    dealt: Vec<u8>,
    /// Who takes part, and whose turn it is.
    takers: Vec<u8>,
    turn: usize,
    looked: Option<Instant>,
    efforts: Vec<u64>,
    /// For how long there has been a reason to change.
    lasting: Duration,
}

impl Spread {
    /// Of the worker with the queue `own`.
    pub fn new(own: usize) -> Self {
        Self {
            own,
            dealt: Vec::new(),
            takers: Vec::new(),
            turn: 0,
            looked: None,
            efforts: Vec::new(),
            lasting: Duration::ZERO,
        }
    }

    /// Whether flows are dealt out.
    pub fn is_on(&self) -> bool {
        !self.dealt.is_empty()
    }

    /// The queue for a packet, by its IP header and what follows.
    pub fn queue(&mut self, packet: &[u8]) -> usize {
        if !self.is_on() {
            return self.own;
        }
        let bucket = &mut self.dealt[hash(packet) as usize % BUCKETS];
        if *bucket == NOBODY {
            self.turn = (self.turn + 1) % self.takers.len();
            *bucket = self.takers[self.turn];
        }
        (*bucket).into()
    }

    /// Looks now and then at what all workers have done, and begins or ends to deal flows out.
    pub fn look(&mut self, now: Instant, all: &[Effort]) {
        let elapsed = match self.looked {
            Some(looked) => now.saturating_duration_since(looked),
            None => LOOK_EVERY,
        };
        if elapsed < LOOK_EVERY {
            return;
        }
        self.looked = Some(now);
        let now: Vec<u64> = all.iter().map(Effort::read).collect();
        let before = std::mem::replace(&mut self.efforts, now);
        if before.len() == self.efforts.len() {
            let worked = self.efforts.iter().zip(before).map(|(now, before)| now.wrapping_sub(before));
            let percent = |worked: u64| worked.saturating_mul(100) / (elapsed.as_nanos() as u64).max(1);
            let loads: Vec<u64> = worked.map(percent).collect();
            self.judge(&loads, elapsed);
        }
    }

    fn judge(&mut self, loads: &[u64], elapsed: Duration) {
        let own = loads[self.own];
        // Dealt to are those with room, or with no more work than this one.
        let takes = |worker: &usize| *worker == self.own || loads[*worker] < ROOM.max(own);
        let takers = (0..loads.len()).filter(takes).map(|worker| worker as u8).collect();
        let has_reason = if self.is_on() {
            self.takers = takers;
            loads.iter().sum::<u64>() < CALM
        } else {
            self.takers = takers;
            own >= FULL && loads.iter().any(|load| *load < ROOM)
        };
        self.lasting = if has_reason { self.lasting + elapsed } else { Duration::ZERO };
        match self.is_on() {
            false if self.lasting >= FULL_FOR => self.dealt = vec![NOBODY; BUCKETS],
            true if self.lasting >= CALM_FOR => self.dealt = Vec::new(),
            _ => return,
        }
        self.lasting = Duration::ZERO;
    }
}

/// Of what makes a flow: addresses, and ports where the packet is no fragment and has no options or extension headers. One
/// direction alone is hashed, so it need not be symmetric.
fn hash(packet: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let (addresses, ports) = match packet.first().map(|byte| byte >> 4) {
        Some(4) => {
            let fragment = packet.get(6..8).is_none_or(|field| field[0] & 0x3f != 0 || field[1] != 0);
            (12..20, if packet[0] == 0x45 && !fragment { 20..24 } else { 0..0 })
        }
        // TCP or UDP right behind the header.
        Some(6) => (8..40, if matches!(packet.get(6), Some(6 | 17)) { 40..44 } else { 0..0 }),
        _ => (0..0, 0..0),
    };
    let bytes = [addresses, ports].map(|range| packet.get(range).unwrap_or_default());
    let words = bytes.iter().flat_map(|bytes| bytes.chunks_exact(4));
    let mixed = words.fold(0, |hash: u64, word| {
        let word = u32::from_ne_bytes([word[0], word[1], word[2], word[3]]);
        (hash ^ u64::from(word)).wrapping_mul(FACTOR).rotate_left(29)
    });
    mixed.wrapping_mul(FACTOR) >> 32
}

#[cfg(test)]
#[path = "spread_tests.rs"]
mod tests;
