//! The sender's sequence numbers (RFC 4303 section 3.3.3): never reused, never wrapped, and sent in their order by however
//! many threads.

use super::EspError;
use crate::sync::{AtomicU32, AtomicU64, Condvar, Mutex, Ordering};
use std::ops::RangeInclusive;
use std::sync::PoisonError;
use std::time::Duration;

/// Hands out numbers to any number of threads, and says whose turn it is to send.
#[derive(Debug)]
pub struct SequenceCounter {
    last: AtomicU64,
    /// This number and all before it were sent, or never will be.
    passed: AtomicU64,
    maximum: u64,
    /// How many threads sleep until it is their turn, and what wakes them.
    sleeping: AtomicU32,
    sleep: Mutex<()>,
    passes: Condvar,
}

impl SequenceCounter {
    /// `last` is the number used last (0: none); `maximum` the largest that may be used.
    pub fn new(last: u64, maximum: u64) -> Self {
        Self {
            last: AtomicU64::new(last),
            passed: AtomicU64::new(last),
            maximum,
            sleeping: AtomicU32::new(0),
            sleep: Mutex::default(),
            passes: Condvar::default(),
        }
    }

    /// The number used last.
    pub fn last(&self) -> u64 {
        self.last.load(Ordering::Relaxed)
    }

    /// Counts `last` and all before it as used.
    pub fn skip_to(&self, last: u64) {
        self.last.fetch_max(last, Ordering::Relaxed);
        self.pass(last);
    }

    /// Whether the largest number has been used.
    pub fn is_exhausted(&self) -> bool {
        self.last() >= self.maximum
    }

    /// The next `count` numbers, or as many as there are left. Whoever has them owes a [`SequenceCounter::pass`].
    ///
    /// # Errors
    /// [`EspError::Exhausted`] at the maximum, for ever.
    pub fn claim(&self, count: u64) -> Result<RangeInclusive<u64>, EspError> {
        let end = |last: u64| last.saturating_add(count).min(self.maximum);
        let previous = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
            (last < self.maximum).then(|| end(last))
        });
        previous.map(|last| last + 1..=end(last)).map_err(|_| EspError::Exhausted)
    }

    /// The `count` numbers that follow `last`, if that was used last and there are so many.
    pub fn claim_after(&self, last: u64, count: u64) -> bool {
        let end = last.saturating_add(count);
        end <= self.maximum
            && self.last.compare_exchange(last, end, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Whether all numbers before `first` have passed: it is the next to be sent.
    pub fn is_turn(&self, first: u64) -> bool {
        // What others did before they passed theirs, the sending, comes before what is sent now.
        self.passed.load(Ordering::SeqCst) + 1 >= first
    }

    /// Sleeps until all numbers before `first` have passed, for `limit` at most; whether they have.
    pub fn sleep_until_turn(&self, first: u64, limit: Duration) -> bool {
        let awake = self.sleep.lock().unwrap_or_else(PoisonError::into_inner);
        // Said first, looked at then: whoever passes meanwhile is either seen here or sees this.
        self.sleeping.fetch_add(1, Ordering::SeqCst);
        let waits = |(): &mut ()| self.passed.load(Ordering::SeqCst) + 1 < first;
        let slept = self.passes.wait_timeout_while(awake, limit, waits);
        self.sleeping.fetch_sub(1, Ordering::SeqCst);
        !slept.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// This number and all before it have passed.
    pub fn passed(&self) -> u64 {
        self.passed.load(Ordering::SeqCst)
    }

    /// `last` and all numbers before it were sent, or never will be.
    pub fn pass(&self, last: u64) {
        self.passed.fetch_max(last, Ordering::SeqCst);
        if self.sleeping.load(Ordering::SeqCst) > 0 {
            // One that is about to sleep holds this until it does.
            drop(self.sleep.lock());
            self.passes.notify_all();
        }
    }
}
