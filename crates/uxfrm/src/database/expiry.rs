//! Lifetimes in seconds, and the events that follow from what the data path saw.

use super::states::{LARVAL_LIFETIME_MS, State};
use super::{Clock, Database};
use crate::datapath::association::LimitReached;
use crate::xfrm::event::{self, Event};
use crate::xfrm::selector::{Flow, Selector};
use crate::xfrm::state::SaId;
use std::net::IpAddr;
use std::sync::atomic::Ordering;

/// SAs with a limit since first use are looked at this often, in milliseconds.
const USE_POLL_MS: u64 = 1000;

/// Least time between two reports of a peer's new address, in milliseconds; what was not told is told by the packets after it.
const MAPPING_INTERVAL_MS: u64 = 1000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Due {
    Soft,
    Hard,
}

impl State {
    /// Earliest moment, in monotonic milliseconds, at which something may be due, and what is due now.
    fn deadline(&self, clock: Clock) -> (Option<u64>, Option<Due>) {
        if self.is_larval() {
            let at = self.added.monotonic + LARVAL_LIFETIME_MS;
            return (Some(at), (clock.monotonic >= at).then_some(Due::Hard));
        }
        let limits = &self.request.info.limits;
        let since_add = |seconds: u64| {
            let left = seconds.saturating_mul(1000).saturating_sub(self.age_before_ms());
            self.added.monotonic.saturating_add(left)
        };
        let mut soft = (limits.soft_add != 0).then(|| since_add(limits.soft_add));
        let mut hard = (limits.hard_add != 0).then(|| since_add(limits.hard_add));
        let mut poll = None;
        if limits.soft_use != 0 || limits.hard_use != 0 {
            match self.usage().use_time {
                0 => poll = Some(clock.monotonic + USE_POLL_MS),
                first => {
                    let used = clock.wall.saturating_sub(first);
                    let at = |limit: u64| {
                        let left = limit.saturating_sub(used).saturating_mul(1000);
                        (limit != 0).then(|| clock.monotonic.saturating_add(left))
                    };
                    soft = soft.into_iter().chain(at(limits.soft_use)).min();
                    hard = hard.into_iter().chain(at(limits.hard_use)).min();
                }
            }
        }
        if hard.is_some_and(|at| clock.monotonic >= at) {
            return (None, Some(Due::Hard));
        }
        let soft = soft.filter(|_| !self.soft_reported);
        let due = soft.is_some_and(|at| clock.monotonic >= at).then_some(Due::Soft);
        let next = [soft.filter(|_| due.is_none()), hard, poll].into_iter().flatten().min();
        (next, due)
    }
}

impl State {
    /// When it is to be looked at, in monotonic milliseconds: now, where something is due.
    pub(super) fn next_look(&self, clock: Clock) -> Option<u64> {
        match self.deadline(clock) {
            (_, Some(_)) => Some(clock.monotonic),
            (next, None) => next.map(|at| at.max(clock.monotonic + 1)),
        }
    }
}

impl Database {
    /// Does what is due, and returns the events, the next deadline in monotonic milliseconds, and whether the data
    /// path needs a new view.
    pub fn run_timers(&mut self, clock: Clock) -> (Vec<Event>, Option<u64>, bool) {
        let (mut events, mut changed) = (Vec::new(), false);
        while let Some(id) = self.states.take_due(clock.monotonic) {
            let Some(state) = self.states.by_id.get_mut(&id) else { continue };
            let (_, due) = state.deadline(clock);
            if let Some(due) = due {
                events.push(event::expire(&state.info(), state.request.if_id, due == Due::Hard));
                state.soft_reported = true;
                self.succession.told(state);
            }
            if due == Some(Due::Hard) {
                changed |= self.remove_state(&id).is_some_and(|gone| !gone.is_larval());
            } else {
                self.states.schedule(&id, clock);
            }
        }
        changed |= self.run_policy_timers(clock, &mut events);
        let next = self.states.next_timer().into_iter().chain(self.policies.next_timer()).min();
        (events, next, changed)
    }

    /// A limit of bytes or packets was reached. A hard one removes the SA; a soft one is news but once, whatever was reached first.
    pub fn limit_reached(&mut self, id: &SaId, limit: LimitReached) -> Option<Event> {
        let hard = limit == LimitReached::Hard;
        let state = self.states.by_id.get_mut(id)?;
        // Since it was told another SA may have come under this identity, or a higher limit.
        if hard && !state.association.as_ref().is_some_and(|association| association.is_spent()) {
            return None;
        }
        if std::mem::replace(&mut state.soft_reported, true) && !hard {
            return None;
        }
        let event = event::expire(&state.info(), state.request.if_id, hard);
        if hard {
            self.remove_state(id);
        } else {
            self.succession.told(state);
        }
        Some(event)
    }

    /// Authentic packets of an encapsulated SA came from elsewhere. News of an SA are told once a second at most.
    pub fn mapping_changed(&mut self, id: &SaId, source: IpAddr, port: u16, clock: Clock) -> Option<Event> {
        let state = self.states.by_id.get_mut(id)?;
        let request = &state.request;
        let old = (request.info.source, request.encapsulation?.source_port);
        let news = (source, port);
        let told = state.mapping_reported.is_some_and(|when| clock.monotonic < when + MAPPING_INTERVAL_MS);
        if old == news || told {
            return None;
        }
        let event = event::mapping(id, request.info.reqid, old, news);
        state.mapping_reported = Some(clock.monotonic);
        Some(event)
    }

    /// A packet found a policy without an SA. At most one event a second per policy.
    pub fn acquire(&mut self, policy_index: u32, flow: &Flow, clock: Clock) -> Option<Event> {
        let policy = self.policies.by_index.get(&policy_index)?;
        let template = policy.request.templates.first()?;
        if !policy.usage.may_acquire(clock.monotonic) {
            return None;
        }
        policy.usage.last_acquire.store(clock.monotonic.max(1), Ordering::Relaxed);
        self.acquire_sequence = self.acquire_sequence.wrapping_add(1).max(1);
        let selector = Selector::of_flow(flow);
        self.succession.acquired((template.destination, template.source), clock);
        let info = policy.info();
        Some(event::acquire(&info, template, &selector, policy.request.if_id, self.acquire_sequence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::tests::{NOW, errno, id_request, info, sa};
    use crate::xfrm::constants::{DELSA, NEWSA, UPDSA};
    use crate::xfrm::lifetime::{Limits, Usage};
    use crate::xfrm::state::SaInfo;
    use crate::xfrm::wire::messages;

    fn at(seconds: u64) -> Clock {
        Clock { wall: NOW.wall + seconds, monotonic: NOW.monotonic + seconds * 1000 }
    }

    fn ask(database: &mut Database, kind: u16, limits: Limits) -> SaId {
        let info = SaInfo { limits, ..info(100) };
        assert_eq!(errno(&database.handle_datagram(&sa(kind, &info), NOW)), 0);
        info.id
    }

    /// Whether each event is a hard one.
    fn hard(events: impl IntoIterator<Item = Event>) -> Vec<bool> {
        let is_hard = |event: Event| messages(&event.message).next().unwrap().payload[224] != 0;
        events.into_iter().map(is_hard).collect()
    }

    #[test]
    fn one_soft_limit_is_told_whichever_came_first() {
        let limits = Limits { soft_add: 100, hard_add: 200, ..Limits::NONE };
        let mut database = Database::default();
        let id = ask(&mut database, NEWSA, limits);
        assert_eq!(hard(database.limit_reached(&id, LimitReached::Soft)), [false]);
        assert_eq!(hard(database.run_timers(at(100)).0), [false; 0], "that of time came later");
        assert_eq!(hard(database.run_timers(at(200)).0), [true]);
        let id = ask(&mut database, NEWSA, limits);
        assert_eq!(hard(database.run_timers(at(100)).0), [false]);
        assert_eq!(
            hard(database.limit_reached(&id, LimitReached::Soft)),
            [false; 0],
            "that of bytes came later"
        );
        let id = ask(&mut database, UPDSA, Limits { hard_packets: 5, ..limits });
        database.states.get(&id).unwrap().association.as_ref().unwrap().charge(5, 100, 1);
        assert_eq!(hard(database.limit_reached(&id, LimitReached::Hard)), [true]);
    }

    /// Workers tell an SA's identity, and the daemon may have been faster.
    #[test]
    fn a_hard_limit_is_not_that_of_another_sa_nor_one_that_was_raised() {
        let mut database = Database::default();
        let limits = Limits { hard_packets: 5, ..Limits::NONE };
        let id = ask(&mut database, NEWSA, limits);
        let reach = |database: &Database| {
            let association = database.states.get(&id).unwrap().association.clone().unwrap();
            assert_eq!(association.charge(5, 100, 1), Some(LimitReached::Hard));
        };
        reach(&database);
        ask(&mut database, UPDSA, Limits { hard_packets: 50, ..limits });
        assert_eq!(hard(database.limit_reached(&id, LimitReached::Hard)), [false; 0], "it was raised");
        ask(&mut database, UPDSA, limits);
        assert_eq!(errno(&database.handle_datagram(&id_request(DELSA, 100), NOW)), 0);
        ask(&mut database, NEWSA, limits);
        assert_eq!(hard(database.limit_reached(&id, LimitReached::Hard)), [false; 0], "another's");
        reach(&database);
        assert_eq!(hard(database.limit_reached(&id, LimitReached::Hard)), [true]);
        assert!(database.states.get(&id).is_none());
    }

    #[test]
    fn new_limits_are_told_anew() {
        let mut database = Database::default();
        let id = ask(&mut database, NEWSA, Limits { soft_add: 100, soft_packets: 10, ..Limits::NONE });
        let association = database.states.get(&id).unwrap().association.clone().unwrap();
        assert_eq!(association.charge(10, 1000, 1), Some(LimitReached::Soft));
        assert_eq!(hard(database.limit_reached(&id, LimitReached::Soft)), [false]);
        ask(&mut database, UPDSA, Limits { soft_add: 150, soft_packets: 20, ..Limits::NONE });
        assert_eq!(association.charge(9, 1000, 1), None);
        assert_eq!(association.charge(1, 1000, 1), Some(LimitReached::Soft));
        assert_eq!(hard(database.limit_reached(&id, LimitReached::Soft)), [false]);
        ask(&mut database, UPDSA, Limits { soft_add: 150, ..Limits::NONE });
        assert_eq!(hard(database.run_timers(at(149)).0), [false; 0]);
        assert_eq!(hard(database.run_timers(at(150)).0), [false]);
    }

    /// A limit that is beyond all times is none.
    #[test]
    fn the_largest_limits_never_come() {
        let most = u64::MAX;
        let limits =
            Limits { soft_add: most, hard_add: most, soft_use: most, hard_use: most, ..Limits::NONE };
        let mut database = Database::default();
        let id = ask(&mut database, NEWSA, limits);
        let association = database.states.get(&id).unwrap().association.clone().unwrap();
        association.charge(1, 1000, NOW.wall + 1);
        for seconds in [1, 2, 1000, 1_000_000] {
            assert_eq!(hard(database.run_timers(at(seconds)).0), [false; 0]);
        }
        assert_eq!(
            database.states.get(&id).unwrap().usage(),
            Usage { bytes: 1000, packets: 1, add_time: NOW.wall, use_time: NOW.wall + 1 }
        );
    }
}
