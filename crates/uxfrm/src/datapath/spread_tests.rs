//! When flows are dealt out, and to whom.

use super::*;
use std::collections::{BTreeMap, BTreeSet};

/// A UDP packet of a flow.
fn packet(flow: u16) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 60, 1, 1, 0x40, 0, 64, 17, 0, 0, 10, 1, 0, 2, 10, 2, 0, 2];
    packet.extend(5001u16.to_be_bytes());
    packet.extend(flow.to_be_bytes());
    packet.resize(60, 0);
    packet
}

/// Workers' efforts, and the time so far.
struct Machine {
    all: Vec<Effort>,
    waited: Vec<Duration>,
    now: Instant,
}

impl Machine {
    /// So much of `time` each worker works, and no CPU is missing; looked at once a tenth of a second.
    fn pass(&mut self, spread: &mut Spread, time: Duration, worked: &[u32]) {
        self.pass_waiting(spread, time, worked, &vec![0; worked.len()]);
    }

    /// So much of `time` each works, and waits for a CPU, in percent. How often it has begun to deal flows out.
    fn pass_waiting(&mut self, spread: &mut Spread, time: Duration, worked: &[u32], waited: &[u32]) -> usize {
        let look = |_: &u128| {
            self.now += LOOK_EVERY;
            for (index, effort) in self.all.iter().enumerate() {
                effort.worked(LOOK_EVERY * worked[index] / 100);
                self.waited[index] += LOOK_EVERY * waited[index] / 100;
                effort.waited(self.waited[index]);
            }
            assert!(spread.is_due(self.now) && !spread.is_due(self.now - LOOK_EVERY / 2));
            spread.look(self.now, &self.all)
        };
        (0..time.as_millis() / LOOK_EVERY.as_millis()).filter(look).count()
    }
}

const MOMENT: Duration = Duration::from_millis(300);

/// A look of worker 1, and so many workers.
fn workers(count: usize) -> (Spread, Machine) {
    let all: Vec<Effort> = (0..count).map(|_| Effort::default()).collect();
    let (mut spread, now) = (Spread::new(1), Instant::now());
    // As where they have waited long ago.
    all.iter().for_each(|effort| effort.waited(Duration::from_secs(3)));
    spread.look(now, &all);
    (spread, Machine { all, waited: vec![Duration::from_secs(3); count], now })
}

#[test]
fn a_full_worker_deals_its_flows_out_in_turn_and_they_stay() {
    let (mut spread, mut machine) = workers(4);
    machine.pass(&mut spread, MOMENT, &[0, 80, 0, 0]);
    assert!((0..50).all(|flow| spread.queue(&packet(flow)) == 1), "not full: all its own");
    machine.pass(&mut spread, MOMENT, &[0, 99, 0, 0]);
    let dealt: Vec<usize> = (0..8).map(|flow| spread.queue(&packet(flow))).collect();
    let mut count = BTreeMap::new();
    dealt.iter().for_each(|queue| *count.entry(*queue).or_insert(0) += 1);
    assert_eq!(count, BTreeMap::from([(0, 2), (1, 2), (2, 2), (3, 2)]), "{dealt:?}");
    // Whatever the load is now, flows stay where they are.
    machine.pass(&mut spread, MOMENT, &[95, 99, 95, 95]);
    machine.pass(&mut spread, CALM_FOR - MOMENT, &[5, 5, 5, 5]);
    assert!((0..8).all(|flow| spread.queue(&packet(flow)) == dealt[usize::from(flow)]));
    machine.pass(&mut spread, CALM_FOR, &[5, 5, 5, 5]);
    assert!((0..8).all(|flow| spread.queue(&packet(flow)) == 1), "calm");
}

#[test]
fn where_all_are_full_nobody_deals() {
    let (mut spread, mut machine) = workers(4);
    machine.pass(&mut spread, MOMENT * 10, &[99, 99, 99, 99]);
    assert!(!spread.is_on(), "as with many SAs");
    let (mut spread, mut machine) = workers(1 + 1);
    machine.pass(&mut spread, Duration::from_millis(100), &[0, 99]);
    machine.pass(&mut spread, Duration::from_millis(100), &[0, 10]);
    machine.pass(&mut spread, Duration::from_millis(100), &[0, 99]);
    assert!(!spread.is_on(), "a moment is too short");
}

#[test]
fn a_worker_that_waits_for_its_cpu_does_not_deal() {
    let (mut spread, mut machine) = workers(2);
    assert_eq!(machine.pass_waiting(&mut spread, MOMENT * 10, &[0, 99], &[0, CROWDED as u32]), 0);
    assert_eq!(machine.pass_waiting(&mut spread, MOMENT * 10, &[0, 99], &[0, CROWDED as u32 - 2]), 1);
}

#[test]
fn where_those_that_take_wait_for_cpus_it_ends_and_is_tried_again_ever_later() {
    let (mut spread, mut machine) = workers(3);
    let mut vain = |time: Duration| {
        let mut begun = 0;
        for _ in 0..time.as_millis() / LOOK_EVERY.as_millis() {
            // Alone it has its CPU. What several work is mostly waiting, for all of them or for one.
            let (worked, waited) =
                if spread.is_on() { ([30, 99, 70], [0, 10, 40]) } else { ([0, 99, 0], [0; 3]) };
            begun += machine.pass_waiting(&mut spread, LOOK_EVERY, &worked, &waited);
        }
        begun
    };
    assert_eq!(vain(FIRST_REST), 1);
    assert_eq!(vain(FIRST_REST), 1);
    assert_eq!(vain(FIRST_REST), 0, "twice as long");
    assert_eq!(vain(FIRST_REST), 1);
    // A trial takes less than a second, so an hour has 45 at most.
    let hour = vain(Duration::from_secs(3600));
    assert!((40..=46).contains(&hour), "{hour}");
    // Once there are enough it goes on, and after a calm all begins anew.
    assert_eq!(machine.pass_waiting(&mut spread, LONGEST_REST * 2, &[0, 99, 69], &[0, 0, 40]), 1);
    assert!(spread.is_on());
    machine.pass(&mut spread, CALM_FOR, &[0, 5, 5]);
    assert_eq!(machine.pass_waiting(&mut spread, FULL_FOR, &[0, 99, 0], &[0; 3]), 1);
}

#[test]
fn who_does_not_take_part_may_wait_for_a_cpu() {
    let (mut spread, mut machine) = workers(3);
    machine.pass(&mut spread, MOMENT, &[99, 99, 0]);
    assert!(spread.is_on() && !spread.takers.contains(&0));
    machine.pass_waiting(&mut spread, MOMENT, &[99, 99, 60], &[90, 0, 0]);
    assert!(spread.is_on());
}

#[test]
fn workers_without_room_get_no_flows() {
    let (mut spread, mut machine) = workers(4);
    machine.pass(&mut spread, MOMENT, &[97, 95, 0, 60]);
    let dealt: BTreeSet<usize> = (0..50).map(|flow| spread.queue(&packet(flow))).collect();
    assert_eq!(dealt, BTreeSet::from([1, 2, 3]), "worker 0 has more to do than this one");
}

#[test]
fn a_lone_packet_after_a_long_silence_is_its_own() {
    let (mut spread, mut machine) = workers(2);
    machine.pass(&mut spread, MOMENT, &[0, 99]);
    assert!(spread.is_on());
    // Asleep meanwhile: nobody has looked.
    machine.now += Duration::from_secs(60);
    spread.look(machine.now, &machine.all);
    assert!(!spread.is_on());
}

#[test]
fn flows_spread_over_buckets_and_fragments_stay_together() {
    let buckets: BTreeSet<u64> = (0..256).map(|flow| hash(&packet(flow)) % BUCKETS as u64).collect();
    // As random ones do: 256 in 1024 leave some 227 (of which a few less are no reason to worry).
    assert!(buckets.len() > 200, "{}", buckets.len());
    let fragment = |port, offset| {
        let mut packet = packet(port);
        packet[6] = if offset == 0 { 0x20 } else { 0 };
        packet[7] = offset;
        packet
    };
    assert_eq!(hash(&fragment(1, 0)), hash(&fragment(2, 100)));
    let v6 = |port: u8, next: u8| {
        let mut packet = vec![0; 48];
        (packet[0], packet[6], packet[41]) = (0x60, next, port);
        packet
    };
    assert_ne!(hash(&v6(1, 6)), hash(&v6(2, 6)));
    assert_eq!(hash(&v6(1, 44)), hash(&v6(2, 44)));
    for short in [&[][..], &[0x45], &[0x60; 9], &[0x45; 19], &[0x12; 60]] {
        hash(short);
    }
}
