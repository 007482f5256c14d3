//! Threads that claim numbers and "send" them, with everything that may come between.

use super::turn::{Claim, TURN_LIMIT};
use crate::esp::EspError;
use crate::esp::sequence::SequenceCounter;
use proptest::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

fn counter() -> Arc<SequenceCounter> {
    Arc::new(SequenceCounter::new(0, u64::MAX))
}

/// What a worker does with a block of numbers.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Sends all of them, in so many calls.
    Send { count: u64, calls: u64 },
    /// Uses half of them, as where the SA's limit is reached.
    Leave(u64),
    /// Panics after so many; what it had not sent is lost.
    Panic { count: u64, after: u64 },
    /// Loses its CPU for a moment.
    Stop(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1u64..80, 1u64..4).prop_map(|(count, calls)| Step::Send { count, calls }),
        1 => (1u64..80).prop_map(Step::Leave),
        1 => (1u64..80, 0u64..80).prop_map(|(count, after)| Step::Panic { count, after }),
        1 => (1u64..80).prop_map(Step::Stop),
    ]
}

/// Numbers as they were sent, in the order of the calls, and whether somebody did not wait for its turn.
type Wire = Mutex<Vec<u64>>;

fn send(claim: &mut Claim, waiting: &mut Vec<u64>, wire: &Wire) {
    assert!(claim.wait(), "everybody sends soon");
    // Each call is in turn: the lock is never waited for, and does not make the order.
    wire.try_lock().expect("two send at once").append(waiting);
    claim.sent();
}

fn work(sequence: &Arc<SequenceCounter>, step: Step, wire: &Wire) {
    let (count, calls, used) = match step {
        Step::Send { count, calls } => (count, calls, count),
        Step::Leave(count) => (count, 1, count / 2),
        Step::Panic { count, after } => (count, 2, after.min(count)),
        Step::Stop(count) => (count, 1, count),
    };
    let mut claim = Claim::new(sequence, count).unwrap();
    let mut waiting = Vec::new();
    for i in 0..used {
        waiting.push(claim.number().unwrap());
        if i % calls == calls - 1 && i + 1 < used {
            send(&mut claim, &mut waiting, wire);
        }
    }
    match step {
        // Not to be told by the hook, which prints.
        Step::Panic { .. } => std::panic::resume_unwind(Box::new("a packet")),
        Step::Stop(_) => thread::sleep(Duration::from_millis(2)),
        _ => {}
    }
    send(&mut claim, &mut waiting, wire);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Whatever workers do: numbers ascend on the wire, none is sent twice, and nobody waits in vain.
    #[test]
    fn numbers_ascend_on_the_wire(steps in prop::collection::vec(prop::collection::vec(step(), 1..12), 2..5)) {
        let (sequence, wire) = (counter(), Wire::default());
        thread::scope(|scope| {
            for steps in &steps {
                let (sequence, wire) = (&sequence, &wire);
                scope.spawn(move || {
                    for step in steps {
                        let ends = catch_unwind(AssertUnwindSafe(|| work(sequence, *step, wire)));
                        assert_eq!(ends.is_err(), matches!(step, Step::Panic { .. }));
                    }
                });
            }
        });
        let wire = wire.into_inner().unwrap();
        prop_assert!(wire.is_sorted_by(|a, b| a < b), "{wire:?}");
        let certain = steps.iter().flatten().map(|step| match step {
            Step::Send { count, .. } | Step::Stop(count) => *count,
            Step::Leave(count) => count / 2,
            Step::Panic { .. } => 0,
        });
        prop_assert!(wire.len() as u64 >= certain.sum::<u64>());
        prop_assert!(sequence.is_turn(sequence.last() + 1), "nothing is waited for any more");
    }
}

#[test]
fn a_lone_worker_goes_on_without_sending_first() {
    let sequence = counter();
    let mut claim = Claim::new(&sequence, 2).unwrap();
    assert_eq!((claim.number(), claim.number(), claim.number()), (Ok(1), Ok(2), Err(EspError::Exhausted)));
    assert!(claim.extend(&sequence, 3));
    assert_eq!(claim.number(), Ok(3));
    // Two of three are left.
    assert!(claim.extend(&sequence, 3));
    assert_eq!(sequence.last(), 6);
    assert!(!claim.extend(&counter(), 1), "another SA's");
    let other = Claim::new(&sequence, 1).unwrap();
    assert!(!claim.extend(&sequence, 4), "not in a row");
    assert!(!sequence.is_turn(7));
    drop(claim);
    assert!(sequence.is_turn(7) && other.wait());
}

#[test]
fn who_has_lost_its_cpu_is_not_waited_for_for_ever() {
    let sequence = counter();
    let (mut stopped, mut second) = (Claim::new(&sequence, 40).unwrap(), Claim::new(&sequence, 40).unwrap());
    stopped.number().unwrap();
    second.number().unwrap();
    let start = Instant::now();
    assert!(!second.wait());
    assert!(start.elapsed() >= TURN_LIMIT);
    second.sent();
    drop(second);
    // Those behind it do not pay again, which ends with `false`, and it is late itself.
    let third = Claim::new(&sequence, 1).unwrap();
    assert!(third.wait() && stopped.wait());
    stopped.sent();
    drop((stopped, third));
    assert!(sequence.is_turn(82) && !sequence.is_turn(83));
}

#[test]
fn numbers_end_at_the_limit() {
    let sequence = Arc::new(SequenceCounter::new(0, 5));
    let mut claim = Claim::new(&sequence, 3).unwrap();
    (1..=3).for_each(|number| assert_eq!(claim.number(), Ok(number)));
    assert!(!claim.extend(&sequence, 3), "two are left");
    claim.sent();
    let mut last = Claim::new(&sequence, 3).unwrap();
    assert_eq!((last.number(), last.number(), last.number()), (Ok(4), Ok(5), Err(EspError::Exhausted)));
    assert!(matches!(Claim::new(&sequence, 1), Err(EspError::Exhausted)));
}
