//! Which worker a successor gets, by what strongSwan does at a rekey.

use super::tests::*;
use super::*;
use crate::datapath::association::LimitReached;
use crate::xfrm::constants::*;
use crate::xfrm::lifetime::Limits;
use crate::xfrm::selector::Flow;
use crate::xfrm::state::{SaId, SaInfo};
use crate::xfrm::wire::{Reader, messages};
use proptest::prelude::*;
use std::net::IpAddr;

/// How long a replaced SA goes on receiving: strongSwan's `delete_rekeyed_delay`.
const DELETED_AFTER_MS: u64 = 5000;
/// The soft limit of [`info`], in milliseconds.
const SOFT_MS: u64 = 100_000;

/// A CHILD_SA by its two SPIs.
#[derive(Debug, Clone, Copy)]
struct Child {
    inbound: u32,
    outbound: u32,
    reqid: u32,
}

struct Gateway {
    database: Database,
    now: Clock,
    workers: u32,
    last_outbound: u32,
    /// Inbound SAs that go on for a while, and until when.
    replaced: Vec<(u64, u32)>,
}

fn outbound(spi: u32, reqid: u32) -> SaInfo {
    let there = info(spi);
    let id = SaId { destination: there.source, ..there.id };
    SaInfo { id, source: there.id.destination, reqid, ..there }
}

impl Gateway {
    fn new(workers: u32) -> Self {
        let database = Database::for_workers(workers);
        Self { database, now: NOW, workers, last_outbound: 0, replaced: Vec::new() }
    }

    fn ask(&mut self, message: &[u8]) -> Answer {
        self.database.handle_datagram(message, self.now)
    }

    fn wait(&mut self, milliseconds: u64) {
        let until = self.now.monotonic + milliseconds;
        self.replaced.sort_unstable();
        while let Some((at, spi)) = self.replaced.first().copied().filter(|(at, _)| *at <= until) {
            self.now.monotonic = at;
            assert_eq!(errno(&self.ask(&id_request(DELSA, spi))), 0);
            self.replaced.remove(0);
        }
        self.now.monotonic = until;
    }

    fn worker(&self, child: Child) -> u32 {
        child.inbound % self.workers
    }

    /// How many of these each worker has, the fewest first.
    fn spread(&self, children: &[Child]) -> Vec<usize> {
        let of = |worker| children.iter().filter(|child| self.worker(**child) == worker).count();
        let mut spread: Vec<usize> = (0..self.workers).map(of).collect();
        spread.sort_unstable();
        spread
    }

    /// An SPI, asked for as strongSwan does: by addresses alone.
    fn allocate(&mut self) -> u32 {
        let nothing = SaInfo { reqid: 0, ..info(0) };
        let answer = self.ask(&request(ALLOCSPI, |w| {
            nothing.write(w);
            w.u32(0xc000_0000).u32(0xcfff_ffff);
        }));
        let reply = messages(&answer.messages[0]).next().unwrap();
        SaInfo::read(&mut Reader::new(reply.payload)).unwrap().id.spi
    }

    fn give_keys(&mut self, spi: u32, reqid: u32) {
        assert_eq!(errno(&self.ask(&sa(UPDSA, &SaInfo { reqid, ..info(spi) }))), 0);
    }

    fn finish(&mut self, inbound: u32, reqid: u32) -> Child {
        self.give_keys(inbound, reqid);
        self.last_outbound += 1;
        let outbound_spi = self.last_outbound;
        assert_eq!(errno(&self.ask(&sa(NEWSA, &outbound(outbound_spi, reqid)))), 0);
        self.wait(50);
        Child { inbound, outbound: outbound_spi, reqid }
    }

    fn negotiate(&mut self, reqid: u32) -> Child {
        let spi = self.allocate();
        self.wait(50);
        self.finish(spi, reqid)
    }

    fn delete_outbound(&mut self, child: Child) {
        let delete = request(DELSA, |w| outbound(child.outbound, child.reqid).id.write(w));
        assert_eq!(errno(&self.ask(&delete)), 0);
    }

    fn rekey(&mut self, child: Child) -> Child {
        let next = self.negotiate(child.reqid);
        self.delete_outbound(child);
        self.replaced.push((self.now.monotonic + DELETED_AFTER_MS, child.inbound));
        next
    }

    /// The daemon is told to rekey a child, as its lifetime has it.
    fn expires(&mut self, child: Child) {
        let id = info(child.inbound).id;
        // It is told once.
        self.database.limit_reached(&id, LimitReached::Soft);
        assert!(self.database.states.get(&id).unwrap().soft_reported);
    }

    fn check(&self) {
        self.database.succession.check(&self.database.states);
    }
}

/// Whoever begins, and however soon: the SA that is replaced is there for seconds beside its successor.
#[test]
fn a_lone_sa_keeps_its_worker() {
    for workers in [2, 3, 8] {
        let mut gateway = Gateway::new(workers);
        let mut child = gateway.negotiate(1);
        gateway.wait(10_000);
        let worker = gateway.worker(child);
        for rekey in 0..100 {
            if rekey % 3 == 0 {
                gateway.expires(child);
            }
            child = gateway.rekey(child);
            assert_eq!(gateway.worker(child), worker, "rekey {rekey}");
            gateway.wait(1000 * (rekey % 9));
        }
        gateway.check();
    }
}

#[test]
fn sas_that_are_negotiated_together_spread_and_stay() {
    let mut gateway = Gateway::new(4);
    let mut children: Vec<Child> = (1..=8).map(|reqid| gateway.negotiate(reqid)).collect();
    assert_eq!(gateway.spread(&children), [2; 4]);
    let workers: Vec<u32> = children.iter().map(|child| gateway.worker(*child)).collect();
    for round in 0..20 {
        gateway.wait(60_000);
        // Several at once, in any order; one fails first, and is tried again.
        for at in [3, 1, 7, 5, 0, 2, 6, 4].map(|at| (at + round) % 8) {
            gateway.expires(children[at]);
            if at == 5 {
                let failed = gateway.allocate();
                gateway.wait(1000);
                assert_eq!(errno(&gateway.ask(&id_request(DELSA, failed))), 0);
            }
            children[at] = gateway.rekey(children[at]);
            assert_eq!(gateway.worker(children[at]), workers[at], "child {at} in round {round}");
        }
        gateway.check();
    }
    // Two were told of before the first of them is replaced.
    gateway.wait(60_000);
    gateway.expires(children[6]);
    gateway.expires(children[2]);
    for at in [6, 2] {
        children[at] = gateway.rekey(children[at]);
        assert_eq!(gateway.worker(children[at]), workers[at], "child {at}");
    }
}

/// One reqid for all of them, as several SAs of one policy have (RFC 9611).
#[test]
fn sas_of_one_policy_spread() {
    for pause in [0, 7000] {
        let mut gateway = Gateway::new(4);
        let mut children = Vec::new();
        for _ in 0..8 {
            children.push(gateway.negotiate(1));
            gateway.wait(pause);
        }
        let spread = gateway.spread(&children);
        // Where the second came late it was taken for the first one's successor.
        assert!(spread[0] >= 1 && spread[3] <= 3, "{spread:?} with pauses of {pause} ms");
        for _ in 0..3 {
            for child in &mut children {
                gateway.wait(7000);
                gateway.expires(*child);
                *child = gateway.rekey(*child);
            }
        }
        assert_eq!(gateway.spread(&children), [2; 4], "after rekeys, with pauses of {pause} ms");
        gateway.check();
    }
}

/// Not even one of which the milliseconds are more than a number holds.
#[test]
fn a_limit_that_is_far_away_is_not_near() {
    let mut gateway = Gateway::new(2);
    let limits = Limits { soft_add: 1 << 63, ..Limits::NONE };
    for spi in [1, 2] {
        let mut there = outbound(spi + 100, spi);
        for end in [&mut there, &mut SaInfo { reqid: spi, ..info(spi) }] {
            end.limits = limits;
            assert_eq!(errno(&gateway.ask(&sa(NEWSA, end))), 0);
        }
    }
    gateway.wait(60_000);
    let (database, asked) = (&mut gateway.database, SaInfo { reqid: 0, ..info(0) });
    let (_, predecessor) = database.succession.place(&asked, 0, &database.states, gateway.now);
    assert_eq!(predecessor, None);
}

/// The daemon was told nothing: the SA that is nearest to its own limit is the one.
#[test]
fn the_peer_begins_one_of_several() {
    let mut gateway = Gateway::new(3);
    let mut children = Vec::new();
    for reqid in 1..=3 {
        children.push(gateway.negotiate(reqid));
        gateway.wait(2000);
    }
    let workers: Vec<u32> = children.iter().map(|child| gateway.worker(*child)).collect();
    gateway.wait(SOFT_MS * 9 / 10 - 6000);
    for at in 0..3 {
        children[at] = gateway.rekey(children[at]);
        assert_eq!(gateway.worker(children[at]), workers[at], "child {at}");
        gateway.wait(2000);
    }
    gateway.check();
}

#[test]
fn a_late_second_sa_has_another_worker_in_the_end() {
    let mut gateway = Gateway::new(2);
    let first = gateway.negotiate(1);
    gateway.wait(20_000);
    let second = gateway.negotiate(2);
    assert_eq!(gateway.worker(first), gateway.worker(second), "it might have been a successor");
    gateway.wait(50_000);
    gateway.expires(first);
    let first = gateway.rekey(first);
    assert_ne!(gateway.worker(first), gateway.worker(second));
    for child in [first, second] {
        gateway.wait(50_000);
        gateway.expires(child);
        let next = gateway.rekey(child);
        assert_eq!(gateway.worker(next), gateway.worker(child));
    }
    // One that a packet asked for is no successor.
    let mut gateway = Gateway::new(2);
    let first = gateway.negotiate(1);
    gateway.wait(20_000);
    gateway.ask(&policy(NEWPOLICY, XFRM_POLICY_OUT, false, 10, 2));
    let index = *gateway.database.policies.by_index.keys().next().unwrap();
    let (source, destination) = ([1; 16], [2; 16]);
    let flow =
        Flow { family: AF_INET, source, destination, protocol: 6, source_port: 1, destination_port: 2 };
    assert!(gateway.database.acquire(index, &flow, gateway.now).is_some());
    let second = gateway.negotiate(2);
    assert_ne!(gateway.worker(first), gateway.worker(second));
    gateway.check();
}

/// Both ends begin at once; both negotiations end, and one of the two SAs is deleted (RFC 7296 section 2.8.1). What is ours gets its
/// keys after the peer's, or before.
#[test]
fn rekeys_that_collide_keep_the_worker() {
    for (loser, peer_first) in [(0, false), (1, false), (0, true), (1, true)] {
        let mut gateway = Gateway::new(5);
        let mut child = gateway.negotiate(1);
        gateway.wait(10_000);
        let worker = gateway.worker(child);
        for _ in 0..10 {
            gateway.expires(child);
            let mut spis = [gateway.allocate(), gateway.allocate()];
            let last = spis[1];
            if peer_first {
                spis.reverse();
            }
            let both = spis.map(|spi| gateway.finish(spi, 1));
            assert!(both.iter().all(|child| gateway.worker(*child) == worker));
            if both[1 - loser].inbound == last {
                // Three SAs lead back for the moment; it is one for all that.
                gateway.expires(both[1 - loser]);
                let next = gateway.allocate();
                assert_eq!(next % 5, worker);
                assert_eq!(errno(&gateway.ask(&id_request(DELSA, next))), 0);
            }
            gateway.delete_outbound(both[loser]);
            gateway.delete_outbound(child);
            let until = gateway.now.monotonic + DELETED_AFTER_MS;
            gateway.replaced.extend([child, both[loser]].map(|child| (until, child.inbound)));
            child = both[1 - loser];
            gateway.wait(1000);
            gateway.check();
        }
    }
}

#[test]
fn a_negotiation_that_fails_leaves_everything_as_it_was() {
    let mut gateway = Gateway::new(3);
    let child = gateway.negotiate(1);
    let far: IpAddr = "203.0.113.9".parse().unwrap();
    gateway.wait(10_000);
    let others =
        gateway.database.handle_datagram(&sa(NEWSA, &SaInfo { source: far, ..info(9) }), gateway.now);
    assert_eq!(errno(&others), 0);
    for _ in 0..5 {
        let spi = gateway.allocate();
        assert_eq!(spi % 3, gateway.worker(child));
        gateway.wait(states::LARVAL_LIFETIME_MS);
        let limits = gateway.database.run_timers(gateway.now);
        assert!(!limits.0.is_empty() && gateway.database.states.get(&info(spi).id).is_none());
        if gateway.database.states.get(&info(child.inbound).id).is_none() {
            break;
        }
    }
    gateway.check();
    gateway.database.clear_states();
    gateway.check();
}

#[derive(Debug, Clone)]
enum Step {
    Allocate,
    Keys { which: usize, reqid: u32 },
    Outbound(u32),
    Delete(usize),
    Soft(usize),
    Time(u64),
    Flush,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => Just(Step::Allocate),
        6 => (0usize..16, 1u32..4).prop_map(|(which, reqid)| Step::Keys { which, reqid }),
        3 => (1u32..4).prop_map(Step::Outbound),
        4 => (0usize..16).prop_map(Step::Delete),
        2 => (0usize..16).prop_map(Step::Soft),
        3 => (1u64..40_000).prop_map(Step::Time),
        1 => Just(Step::Flush),
    ];
    prop::collection::vec(step, 1..150)
}

proptest! {
    #[test]
    fn what_is_noted_is_what_is_there(steps in steps(), workers in 1u32..4) {
        let mut gateway = Gateway::new(workers);
        for step in steps {
            let all: Vec<SaId> = gateway.database.states.by_id.keys().copied().collect();
            let pick = |which: usize| all.get(which % all.len().max(1)).copied();
            match step {
                Step::Allocate => drop(gateway.allocate()),
                Step::Keys { which, reqid } => if let Some(id) = pick(which) {
                    let source = if id.destination == info(1).source { info(1).id.destination } else { info(1).source };
                    gateway.ask(&sa(UPDSA, &SaInfo { id, source, reqid, ..info(id.spi) }));
                },
                Step::Outbound(reqid) => {
                    gateway.last_outbound += 1;
                    let info = outbound(gateway.last_outbound, reqid);
                    gateway.ask(&sa(NEWSA, &info));
                }
                Step::Delete(which) => if let Some(id) = pick(which) {
                    gateway.ask(&request(DELSA, |w| id.write(w)));
                },
                Step::Soft(which) => if let Some(id) = pick(which) {
                    gateway.database.limit_reached(&id, LimitReached::Soft);
                },
                Step::Time(milliseconds) => {
                    gateway.now.monotonic += milliseconds;
                    gateway.database.run_timers(gateway.now);
                }
                Step::Flush => gateway.database.clear_states(),
            }
            gateway.check();
        }
        gateway.database.clear_states();
        gateway.check();
    }
}
