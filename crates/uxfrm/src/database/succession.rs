//! For which SA an SPI is asked, and which worker opens the packets that it will have.
//!
//! The worker is the remainder of the SPI. Where a rekey changed it, what the new SA brings would overtake what the old one has
//! brought; so the SPI of a successor is of its predecessor's worker. The daemon does not say what it asks for: strongSwan's
//! kernel-netlink gives the two addresses, and neither reqid nor `if_id`. It is inferred from what is there between them, and
//! corrected when the keys come, whose request says the reqid. A wrong guess costs a moment of reordering, or a rekey's time with
//! two SAs on one worker. All of it is kept by pairs of addresses, so that nothing is looked through.

use super::states::State;
use super::{Clock, Database};
use crate::xfrm::state::{SaId, SaInfo};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// SAs that are configured together are negotiated within moments, and are to spread. Only after this is one more SA between two
/// addresses that have a single one taken for its successor, in milliseconds: longer than a lost IKE message delays the next.
const SETTLED_MS: u64 = 5000;
/// For so long what is asked for after an ACQUIRE is taken for what that wanted, in milliseconds.
const ACQUIRE_MS: u64 = 5000;
/// A peer with the same lifetime begins after nine tenths of it or later: strongSwan takes up to a tenth (`rand_time`) off. Some
/// room for those that take off more.
const NEAR: (u64, u64) = (4, 5);

/// When an SA is to be replaced. The earlier one is the more likely predecessor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// The daemon was told to, as the so manieth.
    Told(u64),
    /// The peer may begin from then on, in monotonic milliseconds.
    From(u64),
}

/// What [`Succession`] notes of an SA.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    /// Where it stands among those without a successor, if it does.
    head: Option<(u64, Due)>,
    /// Whose successor it is, and its own.
    pub predecessor: Option<SaId>,
    successor: Option<SaId>,
    /// When the daemon was told to replace it, as a number in order.
    told: Option<u64>,
}

/// SAs from one address to another.
#[derive(Default)]
struct Between {
    /// Since when there is one with keys, in monotonic milliseconds.
    since: u64,
    keyed: usize,
    /// Those without a successor, the newest last; an SPI that waits for keys is one if it has a predecessor.
    heads: BTreeMap<u64, SaId>,
    due: BTreeSet<(Due, u64)>,
    /// How many of them each worker has.
    load: Vec<usize>,
    /// When a packet last asked for an SA that is not there.
    acquired: Option<u64>,
}

/// Deals SPIs out to workers.
#[derive(Default)]
pub(super) struct Succession {
    workers: u32,
    /// Whose turn it was.
    last_worker: u32,
    between: BTreeMap<(IpAddr, IpAddr), Between>,
    last_number: u64,
}

impl Succession {
    pub fn of(workers: u32) -> Self {
        Self { workers, ..Self::default() }
    }

    /// With one worker nothing is to be decided, and nothing kept.
    fn is_needed(&self) -> bool {
        self.workers > 1
    }

    pub fn workers(&self) -> u32 {
        self.workers.max(1)
    }

    fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// The worker for an SPI from `info`'s addresses, and the SA whose successor it is, as far as can be told.
    pub fn place(
        &mut self,
        info: &SaInfo,
        if_id: u32,
        states: &super::States,
        clock: Clock,
    ) -> (u32, Option<SaId>) {
        let ends = (info.source, info.id.destination);
        let outbound = self.between.get(&(ends.1, ends.0)).map_or(0, |between| between.keyed);
        let is_only = outbound <= 1;
        let fits = |id: &SaId| {
            let asked = |wanted, is| wanted == 0 || wanted == is;
            states.get(id).is_some_and(|s| {
                asked(if_id, s.request.if_id) && (s.is_larval() || asked(info.reqid, s.request.info.reqid))
            })
        };
        let between = self.between.get_mut(&ends);
        let predecessor = between.and_then(|between| between.predecessor(is_only, clock)).filter(fits);
        let own = predecessor.map(|id| id.spi % self.workers());
        if let Some(own) = own.filter(|_| is_only) {
            return (own, predecessor);
        }
        (self.with_room(ends, own), predecessor)
    }

    /// Of several SAs between two addresses each worker is to have as many as another: `own` keeps its SA unless that leaves it
    /// with more than another has; without, it is the next one's turn of those that have the fewest.
    fn with_room(&mut self, ends: (IpAddr, IpAddr), own: Option<u32>) -> u32 {
        let workers = self.workers();
        let load = self.between.get(&ends).map_or(&[][..], |between| &between.load);
        let others = |worker: u32| {
            let all = load.get(worker as usize).copied().unwrap_or(0);
            all.saturating_sub(usize::from(own == Some(worker)))
        };
        let in_turn = (1..=workers).map(|step| (self.last_worker + step) % workers);
        let chosen = own.into_iter().chain(in_turn).min_by_key(|worker| others(*worker)).unwrap_or(0);
        if own != Some(chosen) {
            self.last_worker = chosen;
        }
        chosen
    }

    fn come_forward(&mut self, state: &mut State) {
        let number = self.number();
        let due = state.place.told.map_or(Due::From(near(state)), Due::Told);
        let (id, workers) = (state.request.info.id, self.workers());
        let between = self.between.entry(ends(state)).or_default();
        between.load.resize(workers as usize, 0);
        between.load[(id.spi % workers) as usize] += 1;
        between.heads.insert(number, id);
        between.due.insert((due, number));
        state.place.head = Some((number, due));
    }

    fn step_back(&mut self, state: &mut State) {
        let Some((number, due)) = state.place.head.take() else { return };
        let worker = (state.request.info.id.spi % self.workers()) as usize;
        if let Some(between) = self.between.get_mut(&ends(state)) {
            between.load[worker] -= 1;
            between.heads.remove(&number);
            between.due.remove(&(due, number));
        }
    }

    /// The daemon was told to replace an SA.
    pub fn told(&mut self, state: &mut State) {
        if !self.is_needed() || state.place.told.is_some() {
            return;
        }
        let told = self.number();
        state.place.told = Some(told);
        let between = self.between.get_mut(&ends(state));
        if let (Some((number, due)), Some(between)) = (&mut state.place.head, between) {
            between.due.remove(&(*due, *number));
            *due = Due::Told(told);
            between.due.insert((*due, *number));
        }
    }

    /// A packet from `ends.1` to `ends.0` has no SA, and the daemon was asked for one, whose inbound half comes the other way.
    pub fn acquired(&mut self, ends: (IpAddr, IpAddr), clock: Clock) {
        if let Some(between) = self.between.get_mut(&ends) {
            between.acquired = Some(clock.monotonic);
        }
    }
}

impl Between {
    /// Of which SA an SPI is to be the successor. `is_only`: one SA alone leads back.
    ///
    /// That tells better than what is received by: the daemon takes an SA that sends away as soon as it has another, and lets one
    /// that receives stay for some seconds (strongSwan's `delete_rekeyed_delay`).
    fn predecessor(&mut self, is_only: bool, clock: Clock) -> Option<SaId> {
        let now = clock.monotonic;
        if self.acquired.take().is_some_and(|when| now < when + ACQUIRE_MS) {
            return None;
        }
        if is_only && now >= self.since + SETTLED_MS {
            return self.heads.values().next_back().copied();
        }
        let (due, number) = self.due.first()?;
        let is_due = match due {
            Due::Told(_) => true,
            Due::From(at) => *at <= now,
        };
        self.heads.get(number).filter(|_| is_due).copied()
    }
}

fn ends(state: &State) -> (IpAddr, IpAddr) {
    (state.request.info.source, state.request.info.id.destination)
}

/// Whether one may be the other's successor: an SPI says nothing before its keys come.
fn may_follow(before: &State, after: &State) -> bool {
    let link = |state: &State| (state.request.if_id, state.request.info.reqid);
    before.is_larval() || after.is_larval() || link(before) == link(after)
}

/// When an SA comes near to its soft limit, in monotonic milliseconds.
fn near(state: &State) -> u64 {
    let soft = state.request.info.limits.soft_add;
    if soft == 0 || state.is_larval() {
        return u64::MAX;
    }
    let age = u128::from(soft) * 1000 * u128::from(NEAR.0) / u128::from(NEAR.1);
    let age = u64::try_from(age).unwrap_or(u64::MAX);
    state.added.monotonic.saturating_add(age.saturating_sub(state.age_before_ms()))
}

impl Database {
    /// An SA is put in, or an SPI that waits for keys.
    pub(super) fn join_succession(&mut self, state: &mut State, clock: Clock) {
        if !self.succession.is_needed() {
            return;
        }
        let (id, is_larval) = (state.request.info.id, state.is_larval());
        // By its keys it must be what it was taken for.
        let before = state.place.predecessor.and_then(|id| self.states.by_id.get_mut(&id));
        let before = before.filter(|before| may_follow(before, state));
        state.place.predecessor = before.as_ref().map(|before| before.request.info.id);
        match before {
            Some(before) => {
                before.place.successor = Some(id);
                self.succession.step_back(before);
            }
            None if is_larval => return,
            None => {}
        }
        let after = state.place.successor.and_then(|id| self.states.by_id.get_mut(&id));
        state.place.successor = None;
        if let Some(after) = after {
            let follows = may_follow(state, after);
            after.place.predecessor = follows.then_some(id);
            state.place.successor = follows.then_some(after.request.info.id);
        }
        if state.place.successor.is_none() {
            self.succession.come_forward(state);
        }
        let between = self.succession.between.entry(ends(state)).or_default();
        if !is_larval {
            if between.keyed == 0 {
                between.since = clock.monotonic;
            }
            between.keyed += 1;
        }
    }

    /// One is taken out. Its predecessor, where that is there still, has its successor, or none.
    pub(super) fn leave_succession(&mut self, state: &mut State) {
        if !self.succession.is_needed() {
            return;
        }
        self.succession.step_back(state);
        let Place { predecessor, successor, .. } = state.place;
        let after = successor.and_then(|id| self.states.by_id.get_mut(&id));
        let successor = after.map(|after| {
            after.place.predecessor = predecessor;
            after.request.info.id
        });
        if let Some(before) = predecessor.and_then(|id| self.states.by_id.get_mut(&id)) {
            before.place.successor = successor;
            if successor.is_none() && before.place.head.is_none() {
                self.succession.come_forward(before);
            }
        }
        let ends = ends(state);
        if let Some(between) = self.succession.between.get_mut(&ends) {
            between.keyed -= usize::from(!state.is_larval());
            if between.keyed == 0 && between.heads.is_empty() {
                self.succession.between.remove(&ends);
            }
        }
    }
}

#[cfg(test)]
impl Succession {
    /// Compares what is noted with the SAs that there are.
    pub fn check(&self, states: &super::States) {
        let mut expected: BTreeMap<_, Between> = BTreeMap::new();
        for state in states.by_id.values().filter(|_| self.is_needed()) {
            let (id, head) = (state.request.info.id, state.place.head);
            if state.is_larval() && head.is_none() {
                continue;
            }
            let here = expected.entry(ends(state)).or_default();
            here.keyed += usize::from(!state.is_larval());
            here.load.resize(self.workers as usize, 0);
            if let Some((number, due)) = head {
                here.heads.insert(number, id);
                here.due.insert((due, number));
                here.load[(id.spi % self.workers) as usize] += 1;
            }
        }
        assert!(expected.keys().eq(self.between.keys()));
        for (expected, noted) in expected.values().zip(self.between.values()) {
            assert_eq!((expected.keyed, &expected.load), (noted.keyed, &noted.load));
            assert_eq!((&expected.heads, &expected.due), (&noted.heads, &noted.due));
        }
    }
}
