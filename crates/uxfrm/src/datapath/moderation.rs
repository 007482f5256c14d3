//! Moderation of wake-ups, as network cards moderate interrupts: while small packets come fast, a worker that has taken all
//! there were sleeps a moment without listening. The next batch is larger, costs fewer system calls a packet, and who
//! enqueues the packets need not wake anybody.

use super::Moved;
use std::time::{Duration, Instant};

/// Packets (super-packets count as one) that come closer than this on average start it, in nanoseconds.
const START_SPACING: u64 = 16_000;
/// It goes on until they come farther apart than this.
const STOP_SPACING: u64 = 24_000;

/// Decides at each wait.
#[derive(Debug)]
pub struct Moderation {
    pause: Duration,
    since: Instant,
    packets: u64,
    /// Packets still wait: nothing would be gained by a pause.
    more: bool,
    active: bool,
}

impl Moderation {
    /// Pauses last `pause`; zero for none.
    pub fn new(pause: Duration) -> Self {
        Self { pause, since: Instant::now(), packets: 0, more: false, active: false }
    }

    /// Packets were moved.
    pub fn moved(&mut self, moved: Moved) {
        self.packets += moved.packets as u64;
        self.more |= moved.more;
    }

    /// All had their turn at `now`: how long to pause before listening again, if at all.
    pub fn pause(&mut self, now: Instant) -> Option<Duration> {
        let packets = std::mem::take(&mut self.packets);
        let elapsed = now.duration_since(std::mem::replace(&mut self.since, now)).as_nanos() as u64;
        let spacing = if self.active { STOP_SPACING } else { START_SPACING };
        self.active = packets >= 2 && packets * spacing > elapsed && !self.pause.is_zero();
        let more = std::mem::take(&mut self.more);
        (self.active && !more).then_some(self.pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_micros(60);

    /// Whether each of `waits` that are `interval` apart and follow `packets` packets pauses.
    fn pauses(
        moderation: &mut Moderation,
        start: Instant,
        waits: u32,
        interval: Duration,
        packets: usize,
    ) -> Vec<bool> {
        let wait = |i| {
            moderation.moved(Moved { packets, more: false });
            moderation.pause(start + interval * i).is_some()
        };
        (1..=waits).map(wait).collect()
    }

    #[test]
    fn pauses_while_packets_come_fast() {
        let start = Instant::now();
        let us = Duration::from_micros;
        let mut fast = Moderation { pause: PAUSE, since: start, packets: 0, more: false, active: false };
        assert_eq!(pauses(&mut fast, start, 3, us(100), 10), [true; 3], "100,000 a second");
        let mut slow = Moderation { pause: PAUSE, since: start, packets: 0, more: false, active: false };
        assert_eq!(pauses(&mut slow, start, 3, us(100), 5), [false; 3], "50,000 a second");
        let mut alternating =
            Moderation { pause: PAUSE, since: start, packets: 0, more: false, active: false };
        assert_eq!(pauses(&mut alternating, start, 3, us(5), 1), [false; 3], "an answer for each question");
        let mut off =
            Moderation { pause: Duration::ZERO, since: start, packets: 0, more: false, active: false };
        assert_eq!(pauses(&mut off, start, 3, us(100), 100), [false; 3]);
    }

    #[test]
    fn goes_on_until_they_are_clearly_slower() {
        let start = Instant::now();
        let us = Duration::from_micros;
        let mut moderation =
            Moderation { pause: PAUSE, since: start, packets: 0, more: false, active: false };
        assert_eq!(pauses(&mut moderation, start, 1, us(100), 10), [true]);
        assert_eq!(pauses(&mut moderation, start + us(100), 2, us(100), 5), [true; 2]);
        assert_eq!(pauses(&mut moderation, start + us(300), 2, us(100), 4), [false; 2]);
    }

    #[test]
    fn never_pauses_before_a_backlog() {
        let start = Instant::now();
        let mut moderation =
            Moderation { pause: PAUSE, since: start, packets: 0, more: false, active: false };
        moderation.moved(Moved { packets: 256, more: true });
        assert_eq!(moderation.pause(start + Duration::from_micros(100)), None);
        moderation.moved(Moved { packets: 10, more: false });
        assert_eq!(moderation.pause(start + Duration::from_micros(200)), Some(PAUSE));
    }

    #[test]
    fn a_burst_after_silence_is_no_flood() {
        let start = Instant::now();
        let mut moderation =
            Moderation { pause: PAUSE, since: start, packets: 0, more: false, active: false };
        moderation.moved(Moved { packets: 100, more: false });
        assert_eq!(moderation.pause(start + Duration::from_millis(10)), None);
    }
}
