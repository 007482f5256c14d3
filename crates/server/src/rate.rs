//! Rate limits: calls of one action by one account within a window.
//!
//! Counted in fixed windows, because the refusal tells how many calls were counted.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use causeway_dialect::RateLimit;

use crate::limits::RATE_COUNTERS_MAX;

#[derive(Clone, Copy)]
struct Counter {
    window: i64,
    /// Windows of different limits have different lengths.
    ends_s: i64,
    calls: u32,
}

/// What the operator has set about rate limits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RateLimits {
    /// No call is refused for being one too many.
    Off,
    /// The documented limits, but for these actions so many calls in a second.
    On(BTreeMap<String, u32>),
}

/// See the module.
#[derive(Default)]
pub(crate) struct Rates {
    counters: Mutex<HashMap<String, Counter>>,
    /// Calls in a second by action, in place of the documented limit.
    own: BTreeMap<String, u32>,
}

impl Rates {
    /// With the operator's own limits.
    pub fn new(own: BTreeMap<String, u32>) -> Self {
        Self { counters: Mutex::default(), own }
    }

    /// The limit of an action: the operator's, or the documented one.
    pub fn limit(&self, action: &str, documented: RateLimit) -> RateLimit {
        self.own.get(action).map_or(documented, |calls| RateLimit { calls: *calls, per_s: 1 })
    }

    /// Counts a call. `Err` tells the calls counted in this window when they are more than allowed.
    pub fn count(&self, who_and_what: &str, limit: RateLimit, now_s: i64) -> Result<(), u32> {
        let length_s = i64::from(limit.per_s.max(1));
        let window = now_s.div_euclid(length_s);
        let fresh = Counter { window, ends_s: (window + 1) * length_s, calls: 0 };
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        if counters.len() >= RATE_COUNTERS_MAX {
            counters.retain(|_, counter| counter.ends_s > now_s);
        }
        if !counters.contains_key(who_and_what) {
            counters.insert(who_and_what.to_owned(), fresh);
        }
        let Some(counter) = counters.get_mut(who_and_what) else { return Ok(()) };
        if counter.window != window {
            *counter = fresh;
        }
        counter.calls = counter.calls.saturating_add(1);
        if counter.calls > limit.calls { Err(counter.calls) } else { Ok(()) }
    }
}

/// Seconds until the next window of a limit, at least one.
pub(crate) fn left_s(limit: RateLimit, now_s: i64) -> u32 {
    let length_s = limit.per_s.max(1);
    length_s - u32::try_from(now_s.rem_euclid(i64::from(length_s))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_too_many_is_told_when_the_next_window_begins() {
        let rates = Rates::default();
        let limit = RateLimit { calls: 1, per_s: 60 };
        for (now_s, left) in [(120, 60), (121, 59), (179, 1)] {
            assert_eq!(left_s(limit, now_s), left);
        }
        assert_eq!(rates.count("a", limit, 179), Ok(()));
        assert_eq!(rates.count("a", limit, 179), Err(2));
        assert_eq!(rates.count("a", limit, 179 + i64::from(left_s(limit, 179))), Ok(()));
    }

    #[test]
    fn the_operators_limit_takes_the_place_of_the_documented_one() {
        let rates = Rates::new([("CreateVpc".to_owned(), 3)].into());
        let documented = RateLimit { calls: 600, per_s: 60 };
        assert_eq!(rates.limit("CreateVpc", documented), RateLimit { calls: 3, per_s: 1 });
        assert_eq!(rates.limit("DeleteVpc", documented), documented);
    }

    #[test]
    fn each_window_allows_its_calls() {
        let rates = Rates::default();
        let limit = RateLimit { calls: 2, per_s: 1 };
        let counted: Vec<_> = (0..4).map(|_| rates.count("a", limit, 7)).collect();
        assert_eq!(counted, [Ok(()), Ok(()), Err(3), Err(4)]);
        assert_eq!(rates.count("b", limit, 7), Ok(()));
        assert_eq!(rates.count("a", limit, 8), Ok(()));
    }
}
