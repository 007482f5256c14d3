//! Workers that send by one SA.

use crate::Model;
use crate::datapath::association::SaView;
use crate::datapath::sealed::{LEN, OuterHeader};
use crate::datapath::send_batch::SendBatch;
use crate::datapath::shared::Shared;
use crate::datapath::spares::Spares;
use crate::datapath::turn::Claim;
use crate::sync::{AtomicU32, Clock, Ordering};
use loom::thread;
use std::sync::{Arc, Mutex};

pub const MODELS: &[Model] = models![
    two_send_a_batch_each: None,
    two_send_two_batches_each: Some(4),
    two_come_back: Some(3),
    three_send: Some(3),
    one_looks_whoever_was_first: None,
    numbers_are_left: Some(3),
    numbers_end: Some(4),
    a_packet_cannot_be_sent: Some(3),
    one_panics: Some(3),
    one_ends: Some(4),
    limits_are_reached_at_once: Some(4),
    one_loses_its_cpu: Some(3),
    one_loses_its_cpu_and_comes_back: Some(2),
    what_waits_goes_before_numbers_are_given_up: None,
    an_sa_without_numbers_is_not_kept: None,
    a_late_buffer_is_not_taken_for_another: None,
];

/// What a worker does with numbers that it claims.
#[derive(Clone, Copy)]
struct Run {
    claimed: u64,
    used: u64,
    then: Then,
}

#[derive(Clone, Copy)]
enum Then {
    Send,
    /// A panic in the middle of it: what is sealed and neither sent nor handed over is forgotten.
    Discard,
    /// The worker is no more.
    End,
}

struct Machine {
    shared: Shared,
    state: Arc<SaView>,
    /// Numbers that must come to the wire, and those that may.
    certain: Mutex<Vec<u64>>,
    possible: Mutex<Vec<u64>>,
}

impl Machine {
    // loom's threads are of one thread of the system.
    #[allow(clippy::arc_with_non_send_sync)]
    fn new(workers: usize, is_strict: bool, maximum: u64) -> Arc<Self> {
        Arc::new(Self {
            shared: Shared::new(workers, is_strict),
            state: SaView::new(maximum),
            certain: Mutex::default(),
            possible: Mutex::default(),
        })
    }

    /// What a worker does, from one wait for packets to the next.
    fn work(&self, worker: usize, runs: &[Run]) {
        if let Some(mut batch) = self.runs(worker, runs) {
            batch.finish(&self.shared, worker);
        }
    }

    /// As [`Machine::work`], but for the end; `None` of one that has ended before.
    fn runs(&self, worker: usize, runs: &[Run]) -> Option<SendBatch> {
        let mut batch = SendBatch::new(&self.shared, worker).unwrap();
        for run in runs {
            if batch.claim(&self.state, run.claimed, &self.shared, worker).is_err() {
                continue;
            }
            let mut used = Vec::new();
            for _ in 0..run.used {
                let room = batch.room(&self.state, OuterHeader, LEN, &self.shared, worker);
                let Ok((number, room)) = room else { break };
                room.copy_from_slice(&number.to_ne_bytes());
                batch.commit(LEN, LEN);
                used.push(number);
            }
            match run.then {
                Then::Send => {
                    self.certain.lock().unwrap().extend(used);
                    batch.end_run(&self.shared, worker);
                }
                Then::Discard => {
                    self.possible.lock().unwrap().extend(used);
                    batch.discard(&self.shared, worker);
                }
                Then::End => {
                    self.possible.lock().unwrap().extend(used);
                    return None;
                }
            }
        }
        Some(batch)
    }

    /// Runs workers to their end, this thread being the first, and looks at what is left.
    fn run(self: Arc<Self>, all: &[&'static [Run]]) {
        let others = all.iter().enumerate().skip(1).map(|(worker, runs)| {
            let (machine, runs) = (self.clone(), *runs);
            thread::spawn(move || machine.work(worker, runs))
        });
        let others: Vec<_> = others.collect();
        self.work(0, all[0]);
        others.into_iter().for_each(|other| other.join().unwrap());
        self.has_sent_all(true);
    }

    fn has_sent_all(&self, is_in_order: bool) {
        let (mut wire, sequence) = (self.shared.wire(), &self.state.association.sequence);
        assert!(!is_in_order || wire.is_sorted_by(|a, b| a < b), "{wire:?}");
        wire.sort_unstable();
        assert!(wire.is_sorted_by(|a, b| a < b), "sent twice: {wire:?}");
        let (certain, possible) = (self.certain.lock().unwrap(), self.possible.lock().unwrap());
        let unsendable = self.shared.unsendable.lock().unwrap();
        let is_there = |number: &u64| wire.contains(number) || unsendable.contains(number);
        assert!(certain.iter().all(is_there), "{wire:?} without some of {certain:?}");
        assert!(wire.iter().all(|number| certain.contains(number) || possible.contains(number)));
        assert_eq!(sequence.passed(), sequence.last(), "somebody would wait for them");
    }
}

fn strict(runs: &[&'static [Run]]) {
    Clock::Never.set();
    Machine::new(runs.len(), true, u64::MAX).run(runs);
}

fn two_send_a_batch_each() {
    strict(&[&[ONE], &[ONE]]);
}

const ONE: Run = Run { claimed: 1, used: 1, then: Then::Send };
const TWO: Run = Run { claimed: 2, used: 2, then: Then::Send };

fn two_send_two_batches_each() {
    strict(&[&[TWO], &[TWO]]);
}

fn two_come_back() {
    strict(&[&[ONE, ONE, ONE], &[ONE, ONE, ONE]]);
}

fn three_send() {
    strict(&[&[ONE], &[ONE], &[ONE]]);
}

/// An SA's limit takes some, or all.
fn numbers_are_left() {
    const LEFT: Run = Run { claimed: 2, used: 1, then: Then::Send };
    const NONE: Run = Run { claimed: 2, used: 0, then: Then::Send };
    strict(&[&[LEFT, ONE], &[ONE, NONE]]);
}

fn numbers_end() {
    Clock::Never.set();
    let machine = Machine::new(2, true, 3);
    machine.clone().run(&[&[TWO, ONE], &[TWO, ONE]]);
    assert_eq!(machine.shared.wire(), [1, 2, 3]);
}

/// Neither comes back for what it has put there, and nothing waits there afterwards.
fn one_looks_whoever_was_first() {
    Clock::Never.set();
    let machine = Machine::new(2, true, u64::MAX);
    let other = machine.clone();
    let other = thread::spawn(move || drop(other.runs(1, &[ONE])));
    drop(machine.runs(0, &[ONE]));
    other.join().unwrap();
    machine.has_sent_all(true);
}

/// Whoever tries panics, its own worker or another, and nobody waits for it.
fn a_packet_cannot_be_sent() {
    Clock::Never.set();
    let machine = Machine::new(2, true, u64::MAX);
    machine.shared.unsendable.lock().unwrap().push(2);
    machine.clone().run(&[&[TWO], &[TWO]]);
    assert_eq!(machine.shared.wire(), [1, 3, 4]);
}

fn one_panics() {
    const PANIC: Run = Run { claimed: 3, used: 2, then: Then::Discard };
    strict(&[&[PANIC, ONE], &[TWO]]);
}

fn one_ends() {
    const END: Run = Run { claimed: 3, used: 1, then: Then::End };
    strict(&[&[ONE, END], &[TWO]]);
}

/// All wait in vain, for each other too: what is sent is late perhaps, but all of it is, once.
fn limits_are_reached_at_once() {
    Clock::AtOnce.set();
    let machine = Machine::new(2, false, u64::MAX);
    let other = machine.clone();
    let other = thread::spawn(move || other.work(1, &[TWO, ONE]));
    machine.work(0, &[TWO]);
    other.join().unwrap();
    machine.has_sent_all(false);
}

/// One that has claimed the first number does not send it before the others' time is over.
fn with_a_lost_one(comes_back: bool) {
    let is_over = Arc::new(AtomicU32::new(0));
    Clock::When(is_over.clone()).set();
    let machine = Machine::new(2, false, u64::MAX);
    let sequence = machine.state.association.sequence.clone();
    let mut lost = Claim::new(&sequence, 1).unwrap();
    machine.possible.lock().unwrap().push(lost.number().unwrap());
    let other = machine.clone();
    let other = thread::spawn(move || other.work(0, &[TWO]));
    let third = machine.clone();
    let third = thread::spawn(move || third.work(1, &[ONE]));
    is_over.store(1, Ordering::SeqCst);
    // Who sleeps is woken, as by its timer: nothing passes by this.
    sequence.pass(0);
    if comes_back {
        machine.shared.send(&[1]);
        lost.sent();
    } else {
        std::mem::forget(lost);
    }
    other.join().unwrap();
    third.join().unwrap();
    machine.has_sent_all(false);
    assert!(machine.shared.spares.iter().all(|spares| spares.is_whole() && !spares.is_late()));
}

fn one_loses_its_cpu() {
    with_a_lost_one(false);
}

fn one_loses_its_cpu_and_comes_back() {
    with_a_lost_one(true);
}

/// Else those who come after them would send first.
fn what_waits_goes_before_numbers_are_given_up() {
    Clock::AtOnce.set();
    let machine = Machine::new(1, false, u64::MAX);
    let shared = Shared::new(2, false);
    let (state, lost) = (&machine.state, Claim::new(&machine.state.association.sequence, 1).unwrap());
    let mut batch = SendBatch::new(&shared, 0).unwrap();
    batch.claim(state, 3, &shared, 0).unwrap();
    let (number, room) = batch.room(state, OuterHeader, LEN, &shared, 0).unwrap();
    room.copy_from_slice(&number.to_ne_bytes());
    batch.commit(LEN, LEN);
    batch.end_run(&shared, 0);
    let passed = state.association.sequence.passed();
    assert!(passed < number || shared.wire() == [number], "{passed} have passed, and {number} waits");
    batch.finish(&shared, 0);
    assert_eq!(shared.wire(), [number]);
    std::mem::forget(lost);
}

/// It may be deleted, and its keys with it, while this worker has nothing to do.
fn an_sa_without_numbers_is_not_kept() {
    Clock::Never.set();
    let (shared, state) = (Shared::new(1, true), SaView::new(1));
    let mut batch = SendBatch::new(&shared, 0).unwrap();
    batch.claim(&state, 2, &shared, 0).unwrap();
    let (_, room) = batch.room(&state, OuterHeader, LEN, &shared, 0).unwrap();
    room.copy_from_slice(&1u64.to_ne_bytes());
    batch.commit(LEN, LEN);
    assert!(batch.room(&state, OuterHeader, LEN, &shared, 0).is_err(), "the last number was the first");
    batch.finish(&shared, 0);
    assert_eq!((shared.wire(), Arc::strong_count(&state)), (vec![1], 1));
}

/// Of two buffers that are away, the one that was given up comes back: the other is waited for as before.
fn a_late_buffer_is_not_taken_for_another() {
    let spares = Arc::new(Spares::default());
    spares.fill().unwrap();
    let (late, first) = (spares.take().unwrap(), spares.round());
    spares.give_up();
    let (_other, _) = (spares.take().unwrap(), spares.round());
    let owner = spares.clone();
    let owner = thread::spawn(move || assert!(!owner.is_whole(), "one is away"));
    spares.put(late, first);
    owner.join().unwrap();
}
