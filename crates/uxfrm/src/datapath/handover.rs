//! Handing sealed packets over instead of waiting to send them: where several workers send by one SA, whoever has sealed what is
//! not yet to be sent puts it here and goes on. Whoever has sent sends what waits here and comes next, too.
//!
//! Nothing is left lying here, by these rules:
//!
//! - What waits is taken by one worker alone, under the lock, and only once all lower numbers have passed; who took it lets its
//!   numbers pass afterwards. So two never send at once, and no lock is held while one does.
//! - Whoever has put something looks for what comes next afterwards, and whoever has let numbers pass does. Both are sequentially
//!   consistent, so one of the two sees what the other did: either the numbers have passed by the time the one looks, or what was
//!   put is there by the time the other does.
//! - One that has sent for others may leave what comes next, but who has put it there comes back for it: it ends its turn at an
//!   interface only after all that it had put here was sent ([`Handover::wait`]), and looks whenever numbers have passed.

use super::turn::TURN_LIMIT;
use crate::esp::sequence::SequenceCounter;
use crate::sync::{AtomicU32, AtomicUsize, Instant, Mutex, MutexGuard, Ordering, spin_loop, yield_now};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// Others send within some tens of microseconds, and to be woken takes as long: so long it looks again and again, and gives its
/// CPU to whoever needs it. After that it sleeps until it is woken: where others were kept from their CPU, it would need theirs
/// to look.
const SPIN: Duration = Duration::from_micros(200);

/// What waits to be sent by one SA: by the sequence numbers, which ascend.
pub struct Handover<T> {
    sequence: Arc<SequenceCounter>,
    waiting: Mutex<Vec<Waiting<T>>>,
    /// How many wait, to be read without the lock.
    count: AtomicUsize,
    /// Workers that can do nothing until numbers pass.
    idle: AtomicU32,
}

struct Waiting<T> {
    first: u64,
    last: u64,
    batch: T,
}

/// What is to be sent now, by whoever holds this. Dropping it lets its numbers pass.
pub struct Turn<'a, T> {
    sequence: &'a SequenceCounter,
    last: u64,
    /// Not all lower numbers have passed: they are given up.
    pub is_late: bool,
    pub batch: Option<T>,
}

impl<T> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        self.sequence.pass(self.last);
    }
}

impl<T> Handover<T> {
    /// For packets of these numbers.
    pub fn new(sequence: Arc<SequenceCounter>) -> Self {
        Self { sequence, waiting: Mutex::default(), count: AtomicUsize::new(0), idle: AtomicU32::new(0) }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Waiting<T>>> {
        // Whoever panicked here left a list that is whole.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves what has the numbers from `first` to `last` to whoever's turn it is then. To be followed by [`Handover::next`].
    pub fn put(&self, first: u64, last: u64, batch: T) {
        let mut waiting = self.lock();
        let at = waiting.partition_point(|other| other.first < first);
        waiting.insert(at, Waiting { first, last, batch });
        self.count.store(waiting.len(), Ordering::SeqCst);
    }

    /// What is to be sent now, if it waits here.
    pub fn next(&self) -> Option<Turn<'_, T>> {
        self.take(|first| self.sequence.is_turn(first))
    }

    /// What comes first and has numbers up to `last`, though lower ones have not passed.
    pub fn next_out_of_turn(&self, last: u64) -> Option<Turn<'_, T>> {
        self.take(|first| first <= last)
    }

    fn take(&self, may: impl Fn(u64) -> bool) -> Option<Turn<'_, T>> {
        if self.count.load(Ordering::SeqCst) == 0 {
            return None;
        }
        let mut waiting = self.lock();
        let first = waiting.first().map(|other| other.first).filter(|first| may(*first))?;
        let Waiting { last, batch, .. } = waiting.remove(0);
        self.count.store(waiting.len(), Ordering::SeqCst);
        drop(waiting);
        let is_late = !self.sequence.is_turn(first);
        Some(Turn { sequence: &self.sequence, last, is_late, batch: Some(batch) })
    }

    /// Whether somebody waits that can send what comes next, having nothing else to do. To be asked after numbers have passed.
    pub fn has_idle(&self) -> bool {
        self.idle.load(Ordering::SeqCst) > 0
    }

    /// Waits until `is_over`, and sends what comes next meanwhile. What ends it must happen before numbers pass. `false` where it
    /// did not within [`TURN_LIMIT`].
    pub fn wait(&self, is_over: impl Fn() -> bool, mut send: impl FnMut(Turn<'_, T>)) -> bool {
        if is_over() {
            return true;
        }
        let start = Instant::now();
        loop {
            let idle = Idle::new(&self.idle);
            let next = self.wait_for_next(&is_over, start);
            drop(idle);
            match next {
                Some(Next::Turn(turn)) => send(turn),
                Some(Next::Over) => return true,
                None => return false,
            }
        }
    }

    /// `None` where nothing happens until [`TURN_LIMIT`] after `start`.
    fn wait_for_next(&self, is_over: &impl Fn() -> bool, start: Instant) -> Option<Next<'_, T>> {
        let idle_since = Instant::now();
        loop {
            // Before all looks: what changes after one of them comes before other numbers pass.
            let passed = self.sequence.passed();
            if is_over() {
                return Some(Next::Over);
            }
            if let Some(turn) = self.next() {
                return Some(Next::Turn(turn));
            }
            let left = TURN_LIMIT.checked_sub(start.elapsed()).filter(|left| !left.is_zero())?;
            if idle_since.elapsed() >= SPIN {
                self.sequence.sleep_until_turn(passed + 2, left);
                continue;
            }
            for _ in 0..20 {
                if self.sequence.passed() != passed || is_over() {
                    break;
                }
                spin_loop();
            }
            // Whoever's turn it is may need this CPU.
            yield_now();
        }
    }
}

/// What ends a worker's idleness.
enum Next<'a, T> {
    Turn(Turn<'a, T>),
    Over,
}

/// Counts a worker as idle while it lives.
struct Idle<'a>(&'a AtomicU32);

impl<'a> Idle<'a> {
    fn new(count: &'a AtomicU32) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Idle<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
