//! Workers that hand "batches" over, by every order that threads come to on this machine, and with everything that may come between.

use super::handover::{Handover, Turn};
use super::turn::{Claim, TURN_LIMIT};
use crate::esp::sequence::SequenceCounter;
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// A worker's buffers: whose numbers come back.
type Home = AtomicUsize;
const SPARES: usize = 2;

struct Batch<'a> {
    numbers: Vec<u64>,
    home: &'a Home,
}

struct Machine<'a> {
    handover: Handover<Batch<'a>>,
    sequence: Arc<SequenceCounter>,
    wire: Mutex<Vec<u64>>,
    handed: AtomicU64,
}

impl<'a> Machine<'a> {
    fn new() -> Self {
        let sequence = Arc::new(SequenceCounter::new(0, u64::MAX));
        Self {
            handover: Handover::new(sequence.clone()),
            sequence,
            wire: Mutex::default(),
            handed: AtomicU64::new(0),
        }
    }

    fn send(&self, numbers: &[u64]) {
        // Each is in turn: the lock is never waited for, and does not make the order.
        let mut wire = self.wire.try_lock().expect("two send at once");
        stir();
        wire.extend(numbers);
    }

    fn send_turn(&self, mut turn: Turn<'_, Batch<'a>>) {
        assert!(!turn.is_late);
        let batch = turn.batch.take().unwrap();
        self.send(&batch.numbers);
        batch.home.fetch_add(1, Ordering::SeqCst);
    }

    fn send_for_others(&self, has_put: bool) {
        for sent in 0..2 {
            if (sent > 0 || !has_put) && self.handover.has_idle() {
                return;
            }
            let Some(turn) = self.handover.next() else { return };
            self.send_turn(turn);
        }
    }

    /// Seals and sends a block of numbers, or hands it over.
    fn step(&self, count: u64, used: u64, home: &'a Home) {
        let mut claim = Claim::new(&self.sequence, count).unwrap();
        let numbers: Vec<u64> = (0..used).map(|_| claim.number().unwrap()).collect();
        stir();
        if used > 0 {
            let is_over = || home.load(Ordering::SeqCst) > 0 || claim.is_turn();
            assert!(self.handover.wait(is_over, |turn| self.send_turn(turn)), "nobody comes");
            if claim.is_turn() {
                self.send(&numbers);
                claim.sent();
                self.send_for_others(false);
            } else {
                home.fetch_sub(1, Ordering::SeqCst);
                let (first, last) = claim.hand_over();
                self.handover.put(first, last, Batch { numbers, home });
                self.handed.fetch_add(1, Ordering::Relaxed);
                self.send_for_others(true);
            }
        }
        if claim.has_unsent() {
            assert!(self.handover.wait(|| claim.is_turn(), |turn| self.send_turn(turn)), "nobody comes");
            claim.give_up();
        }
    }

    fn finish(&self, home: &Home) {
        let is_over = || home.load(Ordering::SeqCst) == SPARES;
        assert!(self.handover.wait(is_over, |turn| self.send_turn(turn)), "left lying");
    }
}

thread_local! {
    static SEED: Cell<u64> = const { Cell::new(0) };
}

/// Numbers that look random, the same for each thread of each run.
fn random(below: u64) -> u64 {
    SEED.set(SEED.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407));
    (SEED.get() >> 33) % below
}

/// What takes some microseconds, longer now and then, or gives the CPU to another thread: so that others come between.
fn stir() {
    match random(64) {
        0 => thread::sleep(Duration::from_micros(100)),
        1..16 => thread::yield_now(),
        other => (0..other * 20).for_each(|_| std::hint::spin_loop()),
    }
}

/// Whatever workers do and however their steps fall: numbers ascend on the wire, all that were used are sent, and nobody waits in
/// vain. A wake-up that is lost would hold somebody up for [`TURN_LIMIT`], and fail.
#[test]
fn numbers_ascend_and_nothing_is_left_lying() {
    const STEPS: usize = 200;
    let (mut handed, mut all) = (0, 0);
    for round in 0..60 {
        let homes: Vec<Home> = (0..2 + round % 3).map(|_| Home::new(SPARES)).collect();
        let (machine, sent) = (Machine::new(), AtomicU64::new(0));
        thread::scope(|scope| {
            for (index, home) in homes.iter().enumerate() {
                let (machine, sent) = (&machine, &sent);
                scope.spawn(move || {
                    SEED.set((round * 8 + index) as u64);
                    for _ in 0..STEPS {
                        let count = random(20) + 1;
                        // Of some the SA's limit takes a part, or all.
                        let used = if random(8) == 0 { random(count) } else { count };
                        sent.fetch_add(used, Ordering::Relaxed);
                        machine.step(count, used, home);
                        if random(16) == 0 {
                            machine.finish(home);
                            stir();
                        }
                    }
                    machine.finish(home);
                });
            }
        });
        let wire = machine.wire.into_inner().unwrap();
        assert!(wire.is_sorted_by(|a, b| a < b), "round {round}: {wire:?}");
        assert_eq!(wire.len() as u64, sent.into_inner(), "round {round}");
        assert!(machine.sequence.is_turn(machine.sequence.last() + 1), "nothing is waited for any more");
        handed += machine.handed.into_inner();
        all += homes.len() * STEPS;
    }
    println!("{handed} of {all} were handed over");
    assert!(handed * 10 > all as u64, "{handed} of {all}: this was not about handing over");
}

#[test]
fn who_has_lost_its_cpu_is_given_up_and_what_waits_keeps_its_order() {
    let home = Home::new(SPARES);
    let machine = Machine::new();
    let mut stopped = Claim::new(&machine.sequence, 10).unwrap();
    stopped.number().unwrap();
    machine.step(5, 5, &home);
    machine.step(3, 3, &home);
    assert!(machine.handover.next().is_none(), "not their turn");
    let start = Instant::now();
    let whole = || home.load(Ordering::SeqCst) == SPARES;
    assert!(!machine.handover.wait(whole, |turn| machine.send_turn(turn)));
    assert!(start.elapsed() >= TURN_LIMIT);
    assert!(machine.handover.next_out_of_turn(10).is_none(), "they have higher numbers");
    let mut late = Vec::new();
    while let Some(mut turn) = machine.handover.next_out_of_turn(18) {
        late.push(turn.is_late);
        let batch = turn.batch.take().unwrap();
        machine.send(&batch.numbers);
        batch.home.fetch_add(1, Ordering::SeqCst);
    }
    assert_eq!(late, [true, false], "the second follows on the first");
    machine.finish(&home);
    // Those behind do not wait again, nor does who was given up.
    assert!(stopped.is_turn());
    stopped.sent();
    drop(stopped);
    machine.step(1, 1, &home);
    assert_eq!(*machine.wire.lock().unwrap(), (11..=19).collect::<Vec<_>>());
}

#[test]
fn who_waits_sends_what_comes_next() {
    let (first_home, second_home) = (Home::new(SPARES), Home::new(SPARES));
    let machine = Machine::new();
    let mut first = Claim::new(&machine.sequence, 2).unwrap();
    machine.step(2, 2, &second_home);
    thread::scope(|scope| {
        let second = scope.spawn(|| machine.finish(&second_home));
        while !machine.handover.has_idle() {
            thread::yield_now();
        }
        let numbers = vec![first.number().unwrap(), first.number().unwrap()];
        machine.send(&numbers);
        first.sent();
        // Left, since the other has nothing else to do.
        machine.send_for_others(false);
        second.join().unwrap();
    });
    assert_eq!(*machine.wire.lock().unwrap(), [1, 2, 3, 4]);
    assert_eq!(first_home.load(Ordering::SeqCst), SPARES);
}
