//! When a worker looks for more packets for a moment before it sleeps: waking a sleeping thread on a sleeping CPU takes longer
//! than many answers do. A look that found nothing makes the next less likely, so that a worker whose packets come seldom
//! does not look at all, and an idle one sleeps.

use std::time::Duration;

/// Which way the last packets went. What follows differs: an answer soon comes after a request that was sent, while
/// after the answer was delivered there is often nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Inbound,
    Outbound,
}

/// A look that pays is worth this many that do not.
const REWARD: u8 = 3;
const MAX_CREDIT: u8 = 8;
/// Without credit one in this many waits looks nevertheless, to learn whether times have changed.
const TRY_EVERY: u8 = 32;

#[derive(Debug, Clone, Copy)]
struct Expectation {
    credit: u8,
    skipped: u8,
}

/// What a worker expects.
#[derive(Debug)]
pub struct BusyPoll {
    limit: Duration,
    /// The direction that was worked on since the last sleep; `None` where there is no reason to expect anything.
    last: Option<Direction>,
    expectations: [Expectation; 2],
}

impl BusyPoll {
    /// Looks for at most `limit`; zero for never.
    pub fn new(limit: Duration) -> Self {
        Self { limit, last: None, expectations: [Expectation { credit: MAX_CREDIT, skipped: 0 }; 2] }
    }

    /// Packets were moved.
    pub fn worked(&mut self, direction: Direction) {
        self.last = Some(direction);
    }

    /// How long to look before sleeping, if at all.
    pub fn limit(&mut self) -> Option<Duration> {
        let last = self.last.filter(|_| !self.limit.is_zero())?;
        let expectation = &mut self.expectations[last as usize];
        if expectation.credit == 0 {
            expectation.skipped += 1;
            if expectation.skipped < TRY_EVERY {
                self.last = None;
                return None;
            }
            expectation.skipped = 0;
        }
        Some(self.limit)
    }

    /// Whether the look that [`BusyPoll::limit`] asked for found something.
    pub fn looked(&mut self, found: bool) {
        let Some(last) = self.last.take() else { return };
        let credit = &mut self.expectations[last as usize].credit;
        *credit = if found { (*credit + REWARD).min(MAX_CREDIT) } else { credit.saturating_sub(1) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_micros(50);

    /// Looks of `waits` waits after work in one direction, each of which finds something as `found` says.
    fn looks(poll: &mut BusyPoll, direction: Direction, waits: usize, found: bool) -> usize {
        let wait = |_: &usize| {
            poll.worked(direction);
            let looks = poll.limit().is_some();
            if looks {
                poll.looked(found);
            }
            looks
        };
        (0..waits).filter(wait).count()
    }

    #[test]
    fn looks_while_it_pays_and_tries_again_now_and_then() {
        let mut poll = BusyPoll::new(LIMIT);
        assert_eq!(looks(&mut poll, Direction::Outbound, 100, true), 100);
        let futile = looks(&mut poll, Direction::Outbound, 1000, false);
        assert!((usize::from(MAX_CREDIT)..=40).contains(&futile), "{futile}");
        // One that pays is enough to go on, within the time between two tries.
        let tries = usize::from(TRY_EVERY);
        assert!(looks(&mut poll, Direction::Outbound, tries + 100, true) > 100);
    }

    #[test]
    fn directions_are_judged_apart() {
        let mut poll = BusyPoll::new(LIMIT);
        looks(&mut poll, Direction::Inbound, 100, false);
        assert_eq!(looks(&mut poll, Direction::Outbound, 10, true), 10);
        assert!(looks(&mut poll, Direction::Inbound, 10, false) <= 1);
    }

    #[test]
    fn nothing_is_expected_without_packets_or_with_a_limit_of_zero() {
        let mut poll = BusyPoll::new(LIMIT);
        assert_eq!(poll.limit(), None);
        poll.worked(Direction::Outbound);
        assert_eq!(poll.limit(), Some(LIMIT));
        poll.looked(false);
        assert_eq!(poll.limit(), None, "one look for each piece of work");
        let mut never = BusyPoll::new(Duration::ZERO);
        assert_eq!(looks(&mut never, Direction::Inbound, 10, true), 0);
    }
}
