//! One SA on several cores when sending. All that is received by an SA is opened by one worker, and the kernel hands what is
//! sent to the queue by which a flow's other direction was written to the interface. So a worker that is full deals the flows it
//! delivers out to everybody's queues: what is sent by them follows. A worker that is not full keeps them, since
//! it finds the answers to what it delivers without waking anybody. So does one that would have to share its CPU with those who
//! take them: where all CPUs are full several workers send less than one.

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
/// Where workers wait for a CPU so much of the time that they work there are too few: whoever is stopped before it has sent
/// holds up the others.
const CROWDED: u64 = 25;
/// How long it must be full, or too few CPUs, and how long calm must last: a flow that changes its queue may overtake itself.
const FULL_FOR: Duration = Duration::from_millis(200);
const CROWDED_FOR: Duration = Duration::from_millis(200);
const CALM_FOR: Duration = Duration::from_secs(2);
/// Whether there is a CPU to spare shows only when it is needed. Where there was none it is tried again after this, and after
/// twice the time each time it is in vain.
const FIRST_REST: Duration = Duration::from_secs(5);
const LONGEST_REST: Duration = Duration::from_secs(80);

/// How long a worker has worked since it started, and how long it has waited for a CPU. Only the worker adds to it.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Effort {
    worked: AtomicU64,
    waited: AtomicU64,
}

impl Effort {
    /// Adds what it took since it last waited for packets.
    pub fn worked(&self, time: Duration) {
        let nanoseconds = self.worked.load(Ordering::Relaxed).wrapping_add(time.as_nanos() as u64);
        self.worked.store(nanoseconds, Ordering::Relaxed);
    }

    /// Says for how long it has waited so far, as [`crate::sys::run_delay`] counts.
    pub fn waited(&self, so_far: Duration) {
        self.waited.store(so_far.as_nanos() as u64, Ordering::Relaxed);
    }

    fn read(&self) -> [u64; 2] {
        [&self.worked, &self.waited].map(|time| time.load(Ordering::Relaxed))
    }
}

/// What a worker did between two looks, in percent of the time.
#[derive(Debug, Clone, Copy)]
struct Load {
    /// Working, or waiting for a CPU meanwhile.
    worked: u64,
    /// Waiting for a CPU.
    waited: u64,
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
    efforts: Vec<[u64; 2]>,
    /// For how long there has been a reason to begin, or to end because all is calm; and because there are too few CPUs.
    lasting: Duration,
    crowded: Duration,
    /// How long it still rests after it was in vain, and how long it will next time.
    rest: Duration,
    next_rest: Duration,
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
            crowded: Duration::ZERO,
            rest: Duration::ZERO,
            next_rest: FIRST_REST,
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

    /// Whether it is time for a look.
    pub fn is_due(&self, now: Instant) -> bool {
        self.looked.is_none_or(|looked| now.saturating_duration_since(looked) >= LOOK_EVERY)
    }

    /// Looks at what all workers have done since the last look, and begins or ends to deal flows out. Whether it has begun.
    pub fn look(&mut self, now: Instant, all: &[Effort]) -> bool {
        let before = (self.looked.replace(now), std::mem::take(&mut self.efforts));
        self.efforts = all.iter().map(Effort::read).collect();
        let (Some(looked), efforts) = before else { return false };
        let elapsed = now.saturating_duration_since(looked);
        let percent = |time: u64| time.saturating_mul(100) / (elapsed.as_nanos() as u64).max(1);
        let load = |(now, before): (&[u64; 2], &[u64; 2])| Load {
            worked: percent(now[0].wrapping_sub(before[0])),
            waited: percent(now[1].wrapping_sub(before[1])),
        };
        let loads: Vec<Load> = self.efforts.iter().zip(&efforts).map(load).collect();
        self.judge(&loads, elapsed)
    }

    fn judge(&mut self, loads: &[Load], elapsed: Duration) -> bool {
        let own = loads[self.own];
        let add = |lasting: Duration, has_reason| if has_reason { lasting + elapsed } else { Duration::ZERO };
        if self.is_on() {
            self.lasting = add(self.lasting, loads.iter().map(|load| load.worked).sum::<u64>() < CALM);
            let takers = self.takers.iter().map(|worker| loads[usize::from(*worker)]);
            self.crowded = add(self.crowded, is_crowded(takers));
            if self.lasting >= CALM_FOR {
                self.end(Duration::ZERO, FIRST_REST);
                return false;
            }
            if self.crowded >= CROWDED_FOR {
                self.end(self.next_rest, (self.next_rest * 2).min(LONGEST_REST));
                return false;
            }
        } else {
            self.rest = self.rest.saturating_sub(elapsed);
            let is_full = own.worked >= FULL && !is_crowded([own]);
            let has_room = loads.iter().any(|load| load.worked < ROOM);
            self.lasting = add(self.lasting, is_full && has_room && self.rest.is_zero());
        }
        // Dealt to are those with room, or with no more work than this one.
        let takes = |worker: &usize| *worker == self.own || loads[*worker].worked < ROOM.max(own.worked);
        self.takers = (0..loads.len()).filter(takes).map(|worker| worker as u8).collect();
        if self.is_on() || self.lasting < FULL_FOR {
            return false;
        }
        self.dealt = vec![NOBODY; BUCKETS];
        self.lasting = Duration::ZERO;
        true
    }

    fn end(&mut self, rest: Duration, next_rest: Duration) {
        (self.rest, self.next_rest) = (rest, next_rest);
        (self.dealt, self.lasting, self.crowded) = (Vec::new(), Duration::ZERO, Duration::ZERO);
    }
}

/// Whether they wait for CPUs too long.
fn is_crowded(loads: impl IntoIterator<Item = Load>) -> bool {
    let sum =
        |sum: Load, load: Load| Load { worked: sum.worked + load.worked, waited: sum.waited + load.waited };
    let all = loads.into_iter().fold(Load { worked: 0, waited: 0 }, sum);
    all.waited * 100 >= all.worked * CROWDED && all.waited > 0
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
