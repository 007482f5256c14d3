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

/// So much of `time` each worker works, in percent; looked at once a tenth of a second.
fn pass(spread: &mut Spread, all: &[Effort], now: &mut Instant, time: Duration, loads: &[u32]) {
    for _ in 0..time.as_millis() / LOOK_EVERY.as_millis() {
        *now += LOOK_EVERY;
        for (effort, load) in all.iter().zip(loads) {
            effort.worked(LOOK_EVERY * *load / 100);
        }
        spread.look(*now, all);
    }
}

const MOMENT: Duration = Duration::from_millis(300);

fn workers(count: usize) -> (Spread, Vec<Effort>, Instant) {
    let all: Vec<Effort> = (0..count).map(|_| Effort::default()).collect();
    let (mut spread, now) = (Spread::new(1), Instant::now());
    spread.look(now, &all);
    (spread, all, now)
}

#[test]
fn a_full_worker_deals_its_flows_out_in_turn_and_they_stay() {
    let (mut spread, all, mut now) = workers(4);
    pass(&mut spread, &all, &mut now, MOMENT, &[0, 80, 0, 0]);
    assert!((0..50).all(|flow| spread.queue(&packet(flow)) == 1), "not full: all its own");
    pass(&mut spread, &all, &mut now, MOMENT, &[0, 99, 0, 0]);
    let dealt: Vec<usize> = (0..8).map(|flow| spread.queue(&packet(flow))).collect();
    let mut count = BTreeMap::new();
    dealt.iter().for_each(|queue| *count.entry(*queue).or_insert(0) += 1);
    assert_eq!(count, BTreeMap::from([(0, 2), (1, 2), (2, 2), (3, 2)]), "{dealt:?}");
    // Whatever the load is now, flows stay where they are.
    pass(&mut spread, &all, &mut now, MOMENT, &[95, 99, 95, 95]);
    pass(&mut spread, &all, &mut now, CALM_FOR - MOMENT, &[5, 5, 5, 5]);
    assert!((0..8).all(|flow| spread.queue(&packet(flow)) == dealt[usize::from(flow)]));
    pass(&mut spread, &all, &mut now, CALM_FOR, &[5, 5, 5, 5]);
    assert!((0..8).all(|flow| spread.queue(&packet(flow)) == 1), "calm");
}

#[test]
fn where_all_are_full_nobody_deals() {
    let (mut spread, all, mut now) = workers(4);
    pass(&mut spread, &all, &mut now, MOMENT * 10, &[99, 99, 99, 99]);
    assert!(!spread.is_on(), "as with many SAs");
    let (mut spread, all, mut now) = workers(1 + 1);
    pass(&mut spread, &all, &mut now, Duration::from_millis(100), &[0, 99]);
    pass(&mut spread, &all, &mut now, Duration::from_millis(100), &[0, 10]);
    pass(&mut spread, &all, &mut now, Duration::from_millis(100), &[0, 99]);
    assert!(!spread.is_on(), "a moment is too short");
}

#[test]
fn workers_without_room_get_no_flows() {
    let (mut spread, all, mut now) = workers(4);
    pass(&mut spread, &all, &mut now, MOMENT, &[97, 95, 0, 60]);
    let dealt: BTreeSet<usize> = (0..50).map(|flow| spread.queue(&packet(flow))).collect();
    assert_eq!(dealt, BTreeSet::from([1, 2, 3]), "worker 0 has more to do than this one");
}

#[test]
fn a_lone_packet_after_a_long_silence_is_its_own() {
    let (mut spread, all, mut now) = workers(2);
    pass(&mut spread, &all, &mut now, MOMENT, &[0, 99]);
    assert!(spread.is_on());
    // Asleep meanwhile: nobody has looked.
    now += Duration::from_secs(60);
    spread.look(now, &all);
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
