//! Requests that failed to prove who sent them, by access key: guesses, and clients that are set up wrongly.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// A key's failures are told at once, and then not again for so many seconds.
const QUIET_S: i64 = 60;

/// Failures of one key.
#[derive(Default)]
struct Count {
    told_s: Option<i64>,
    untold: u64,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Failures {
    /// By key; all keys that are not known share one count, so that nobody can make this grow.
    counts: Mutex<HashMap<Option<String>, Count>>,
}

impl Failures {
    /// Counts a failure; `key` is `None` when it is not known. Gives how many there were since the last time that this
    /// told them, when it is time to tell them.
    pub fn count(&self, key: Option<&str>, now_s: i64) -> Option<u64> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key.map(str::to_owned)).or_default();
        count.untold += 1;
        if count.told_s.is_some_and(|told_s| now_s - told_s < QUIET_S) {
            return None;
        }
        count.told_s = Some(now_s);
        Some(std::mem::take(&mut count.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_once_a_minute_with_their_number() {
        let failures = Failures::default();
        assert_eq!(failures.count(Some("a"), 100), Some(1));
        for second in 100..160 {
            assert_eq!(failures.count(Some("a"), second), None);
        }
        assert_eq!(failures.count(None, 120), Some(1), "others are told on their own");
        assert_eq!(failures.count(Some("a"), 160), Some(61));
        assert_eq!(failures.count(Some("a"), 161), None);
    }
}
