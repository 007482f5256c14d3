//! The time of requests, and what becomes of remembered times when somebody sets the clock.
//!
//! A daemon tells by the time of an SA's or a policy's last use for how long its peer has been silent. Remembered as it was
//! read, that time lies in the future of a clock that was set back, and a peer that died then would be noticed only when the
//! clock has come there again. (The kernel's own IPsec has this fault.)

use super::Database;
use std::sync::atomic::{AtomicU64, Ordering};

/// The time of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Clock {
    /// Unix seconds: for display, and for limits since the first use, which the daemon gives and sees in them.
    pub wall: u64,
    /// Milliseconds of a clock that nobody sets, for lifetimes.
    pub monotonic: u64,
}

impl Clock {
    /// By how many seconds the wall clock is ahead of the other one.
    fn lead(self) -> i64 {
        self.wall.cast_signed() - (self.monotonic / 1000).cast_signed()
    }
}

/// Both clocks are cut to seconds: their lead differs by one without anybody's doing.
const CUT: u64 = 1;

/// How the wall clock stood when it was last looked at; nothing before the first time.
#[derive(Default)]
pub(super) struct Followed {
    lead: Option<i64>,
}

impl Database {
    /// Moves what is remembered in Unix seconds by as much as the wall clock was set since the last call, so that it stays
    /// as long ago as it is. What a worker writes meanwhile may be moved once too often, until the next packet.
    pub fn follow(&mut self, clock: Clock) {
        let lead = clock.lead();
        let step = lead - *self.clock.lead.get_or_insert(lead);
        if step.unsigned_abs() <= CUT {
            return;
        }
        self.clock.lead = Some(lead);
        let moved = |time: u64| match time {
            // Never.
            0 => 0,
            time => time.saturating_add_signed(step).min(clock.wall).max(1),
        };
        let move_shared = |time: &AtomicU64| {
            let _ = time.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |time| Some(moved(time)));
        };
        for state in self.states.by_id.values_mut() {
            state.added.wall = moved(state.added.wall);
            state.carried.add_time = moved(state.carried.add_time);
            state.carried.use_time = moved(state.carried.use_time);
            if let Some(association) = &state.association {
                move_shared(&association.first_use);
                move_shared(&association.last_use);
            }
        }
        for policy in self.policies.by_index.values_mut() {
            policy.added.wall = moved(policy.added.wall);
            move_shared(&policy.usage.last_use);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::tests::{NOW, errno, info, policy, sa};
    use crate::xfrm::constants::{NEWPOLICY, NEWSA, XFRM_POLICY_OUT};

    const HOUR_S: u64 = 3600;

    fn at(seconds: u64, wall: u64) -> Clock {
        Clock { wall, monotonic: NOW.monotonic + seconds * 1000 }
    }

    /// When an SA was first and last used and added, and a policy last used and added.
    fn times(database: &Database) -> [u64; 5] {
        let state = database.states.by_id.values().next().unwrap();
        let association = state.association.as_ref().unwrap();
        let policy = database.policies.by_index.values().next().unwrap();
        let read = |time: &AtomicU64| time.load(Ordering::Relaxed);
        let (first, last) = (read(&association.first_use), read(&association.last_use));
        [first, last, state.added.wall, read(&policy.usage.last_use), policy.added.wall]
    }

    #[test]
    fn what_was_long_ago_stays_as_long_ago_when_the_clock_is_set() {
        let mut database = Database::default();
        database.follow(NOW);
        assert_eq!(errno(&database.handle_datagram(&sa(NEWSA, &info(9)), NOW)), 0);
        let outbound = policy(NEWPOLICY, XFRM_POLICY_OUT, false, 0, 7);
        assert_eq!(errno(&database.handle_datagram(&outbound, NOW)), 0);
        let start = NOW.wall;
        assert_eq!(times(&database), [0, 0, start, 0, start]);
        let association = database.states.by_id.values().next().unwrap().association.clone().unwrap();
        association.charge(1, 100, start + 2);
        association.charge(1, 100, start + 5);
        let used = [start + 2, start + 5, start, 0, start];
        // Seconds that are cut differ by one.
        for (seconds, wall) in [(10, start + 10), (20, start + 21), (30, start + 30)] {
            database.follow(at(seconds, wall));
            assert_eq!(times(&database), used);
        }
        let back = |time: u64| if time == 0 { 0 } else { time - HOUR_S };
        database.follow(at(40, back(start + 40)));
        assert_eq!(times(&database), used.map(back));
        database.follow(at(50, start + 50));
        assert_eq!(times(&database), used);
        // What a worker wrote by the new clock before it was noticed here is not in the future.
        association.charge(1, 100, start + HOUR_S + 60);
        database.follow(at(60, start + HOUR_S + 60));
        assert_eq!(times(&database)[1], start + HOUR_S + 60);
    }
}
