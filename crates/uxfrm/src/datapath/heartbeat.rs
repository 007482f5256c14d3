//! Whether workers get on with their work.

use std::sync::atomic::{AtomicU64, Ordering};

/// A worker's pulse: another number at each step, odd while it works, even while it waits for packets. Only the worker
/// writes it, and an idle one does not. Alone in its cache line, so that no worker waits for another's.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Heartbeat(AtomicU64);

impl Heartbeat {
    /// The worker begins its next step.
    pub fn works(&self) {
        self.0.store((self.0.load(Ordering::Relaxed) + 1) | 1, Ordering::Relaxed);
    }

    /// The worker waits.
    pub fn waits(&self) {
        self.0.store((self.0.load(Ordering::Relaxed) + 1) & !1, Ordering::Relaxed);
    }

    fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A step takes less than a millisecond of CPU time.
const HUNG_MS: u64 = 1500;

/// What a look at the workers has found.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// A worker that stays in one step.
    pub stuck: Option<usize>,
    /// One at least has done something since the last look, or does now.
    pub active: bool,
}

/// What was seen of the workers' pulses.
#[derive(Debug, Default)]
pub struct Watch {
    /// The pulse, since when (milliseconds of the monotonic clock), and how often.
    seen: Vec<(u64, u64, u32)>,
}

impl Watch {
    /// Looks at all workers. It takes several looks until one is stuck: a machine that stood still is not its fault.
    pub fn look<'a>(&mut self, beats: impl Iterator<Item = &'a Heartbeat>, now: u64) -> Found {
        let mut found = Found::default();
        for (index, beat) in beats.map(Heartbeat::read).enumerate() {
            if self.seen.len() <= index {
                self.seen.push((beat, now, 0));
            }
            let (last, since, looks) = &mut self.seen[index];
            found.active |= beat != *last || beat % 2 == 1;
            if beat != *last || beat % 2 == 0 {
                (*last, *since, *looks) = (beat, now, 0);
                continue;
            }
            *looks += 1;
            if *looks >= 3 && now >= *since + HUNG_MS {
                found.stuck = Some(index);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_worker_that_stays_in_one_step_is_stuck() {
        let (idle, busy, stuck) = (Heartbeat::default(), Heartbeat::default(), Heartbeat::default());
        let mut watch = Watch::default();
        stuck.works();
        for look in 0..10 {
            busy.works();
            if look % 3 == 0 {
                busy.waits();
            }
            let found = watch.look([&idle, &busy, &stuck].into_iter(), look * 500);
            assert_eq!(found, Found { stuck: (look >= 3).then_some(2), active: true }, "look {look}");
        }
        stuck.waits();
        busy.waits();
        let all = || [&idle, &busy, &stuck].into_iter();
        assert_eq!(watch.look(all(), 10_000), Found { stuck: None, active: true });
        assert_eq!(watch.look(all(), 10_100), Found::default(), "silence");
        // A pause of the whole machine between two looks.
        stuck.works();
        watch.look(all(), 10_500);
        assert_eq!(watch.look(all(), 99_000), Found { stuck: None, active: true });
    }
}
