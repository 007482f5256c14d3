//! The sender's sequence numbers (RFC 4303 section 3.3.3): never reused, never wrapped.

use super::EspError;
use std::sync::atomic::{AtomicU64, Ordering};

/// Hands out numbers to any number of threads.
#[derive(Debug)]
pub struct SequenceCounter {
    last: AtomicU64,
    maximum: u64,
}

impl SequenceCounter {
    /// `last` is the number used last (0: none); `maximum` the largest that may be used.
    pub fn new(last: u64, maximum: u64) -> Self {
        Self { last: AtomicU64::new(last), maximum }
    }

    /// The number used last.
    pub fn last(&self) -> u64 {
        self.last.load(Ordering::Relaxed)
    }

    /// Counts `last` and all before it as used.
    pub fn skip_to(&self, last: u64) {
        self.last.fetch_max(last, Ordering::Relaxed);
    }

    /// Whether the largest number has been used.
    pub fn is_exhausted(&self) -> bool {
        self.last() >= self.maximum
    }

    /// The next number.
    ///
    /// # Errors
    /// [`EspError::Exhausted`] at the maximum, for ever.
    pub fn next(&self) -> Result<u64, EspError> {
        let previous = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
            (last < self.maximum).then(|| last + 1)
        });
        previous.map(|last| last + 1).map_err(|_| EspError::Exhausted)
    }
}
