//! Lifetimes of policies, as `xfrm_policy_timer` of `net/xfrm/xfrm_policy.c` keeps them: in seconds since a policy was added, or
//! since it was last used (since it was added, where it never was). Limits of bytes and packets are only shown; the kernel
//! does no more with them.

use super::policies::Policy;
use super::{Clock, Database};
use crate::xfrm::event::{self, Event};
use std::sync::atomic::Ordering;

/// A new policy is looked at after so long, in milliseconds.
const FIRST_LOOK_MS: u64 = 1000;
/// What is past its soft limit is told again after so long: the kernel's `XFRM_KM_TIMEOUT`, in milliseconds.
const REPEAT_MS: u64 = 30_000;

/// What a look at a policy found.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// A hard limit is past.
    Expired,
    /// Whether a soft limit is past, and when to look again, in monotonic milliseconds.
    Lives { warn: bool, next: Option<u64> },
}

impl Policy {
    fn look(&self, clock: Clock) -> Found {
        let limits = &self.request.info.limits;
        let age = clock.monotonic.saturating_sub(self.added.monotonic);
        let used = self.usage.last_use.load(Ordering::Relaxed).max(self.added.wall);
        let idle = clock.wall.saturating_sub(used).saturating_mul(1000);
        // Milliseconds that are left; 0 is past, `None` no limit.
        let left = |seconds: u64, past: u64| {
            (seconds != 0).then(|| seconds.saturating_mul(1000).saturating_sub(past))
        };
        let hard = [left(limits.hard_add, age), left(limits.hard_use, idle)];
        if hard.contains(&Some(0)) {
            return Found::Expired;
        }
        let soft = [left(limits.soft_add, age), left(limits.soft_use, idle)];
        let again = soft.map(|left| left.map(|left| if left == 0 { REPEAT_MS } else { left }));
        let next = hard.into_iter().chain(again).flatten().min();
        Found::Lives {
            warn: soft.contains(&Some(0)),
            next: next.map(|left| clock.monotonic.saturating_add(left)),
        }
    }
}

impl Database {
    /// A policy is new, or has new limits.
    pub(super) fn watch_policy(&mut self, index: u32, clock: Clock) {
        let Some(policy) = self.policies.by_index.get(&index) else { return };
        let limits = &policy.request.info.limits;
        let limited = [limits.soft_add, limits.hard_add, limits.soft_use, limits.hard_use] != [0; 4];
        self.policies.schedule(index, limited.then_some(clock.monotonic + FIRST_LOOK_MS));
    }

    /// Looks at those whose time has come. Returns whether the data path needs a new view.
    pub(super) fn run_policy_timers(&mut self, clock: Clock, events: &mut Vec<Event>) -> bool {
        let mut changed = false;
        while let Some(index) = self.policies.due(clock.monotonic) {
            let Some(policy) = self.policies.by_index.get(&index) else { break };
            let found = policy.look(clock);
            let expired = found == Found::Expired;
            if expired || matches!(found, Found::Lives { warn: true, .. }) {
                events.push(event::policy_expire(&policy.info(), &policy.request, expired));
            }
            match found {
                Found::Expired => changed |= self.remove_policy(index).is_some(),
                Found::Lives { next, .. } => self.policies.schedule(index, next),
            }
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::tests::{NOW, selector};
    use crate::xfrm::constants::*;
    use crate::xfrm::lifetime::Limits;
    use crate::xfrm::policy::{PolicyInfo, PolicyRequest};
    use crate::xfrm::wire::messages;

    fn database(limits: Limits) -> Database {
        let info =
            PolicyInfo { selector: selector(), limits, direction: XFRM_POLICY_OUT, ..PolicyInfo::default() };
        let mut database = Database::default();
        database.put_policy(PolicyRequest { info, templates: Vec::new(), if_id: 42 }, NOW);
        database
    }

    fn at(seconds: u64) -> Clock {
        Clock { wall: NOW.wall + seconds, monotonic: NOW.monotonic + seconds * 1000 }
    }

    /// Hard or soft, by the seconds after which they come; looked at each second.
    fn events(database: &mut Database, until: u64, used_at: &[u64]) -> Vec<(u64, bool)> {
        let mut all = Vec::new();
        for second in 0..=until {
            if used_at.contains(&second) {
                let policy = database.policies.by_index.values().next().unwrap();
                policy.usage.last_use.store(at(second).wall, Ordering::Relaxed);
            }
            let (events, next, changed) = database.run_timers(at(second));
            assert!(next.is_none_or(|next| next > at(second).monotonic), "it would spin");
            for event in events {
                let message = messages(&event.message).next().unwrap();
                assert_eq!((event.group, message.header.kind), (XFRMNLGRP_EXPIRE, POLEXPIRE));
                all.push((second, message.payload[168] != 0));
                assert_eq!(
                    (changed, database.policies.is_empty()),
                    (message.payload[168] != 0, message.payload[168] != 0)
                );
            }
        }
        all
    }

    #[test]
    fn a_policy_ends_by_its_age() {
        let mut database = database(Limits { soft_add: 3, hard_add: 40, ..Limits::NONE });
        // The soft one again after half a minute; use changes nothing.
        assert_eq!(events(&mut database, 50, &[1, 2, 39]), [(3, false), (33, false), (40, true)]);
        assert_eq!(database.run_timers(at(60)).1, None);
    }

    #[test]
    fn a_policy_ends_when_it_is_not_used() {
        let mut idle = database(Limits { hard_use: 5, ..Limits::NONE });
        assert_eq!(events(&mut idle, 20, &[]), [(5, true)]);
        let mut used = database(Limits { hard_use: 5, ..Limits::NONE });
        assert_eq!(events(&mut used, 20, &[4, 8]), [(13, true)]);
    }

    #[test]
    fn without_limits_of_time_nothing_is_watched() {
        let mut database = database(Limits { hard_packets: 1, hard_bytes: 1, ..Limits::NONE });
        assert_eq!(database.run_timers(at(1000)), (Vec::new(), None, false));
    }
}
