//! Replay protection: a nonce is taken once within the window of its dialect.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashSet};
use std::hash::BuildHasher;
use std::sync::{Mutex, PoisonError};

use crate::limits::NONCES_MAX;

/// Seconds of timestamps that share a slot.
const SLOT_S: i64 = 300;

/// What became of a nonce.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Nonce {
    /// It was not seen before.
    Fresh,
    /// It was seen.
    Seen,
    /// It can't be remembered, so it can't be taken.
    Full,
}

/// Remembers nonces in slots by the timestamps of their requests, which the signatures cover: a slot is forgotten
/// when none of its timestamps is acceptable any more. A nonce is kept as a keyed hash of 64 bits; with
/// [`NONCES_MAX`] of them one request in about 10^12 is taken for a replay that is none, and can be sent again.
pub(crate) struct Replay {
    hasher: RandomState,
    slots: Mutex<BTreeMap<i64, HashSet<u64>>>,
    window_s: i64,
}

impl Replay {
    /// For a dialect whose timestamps may be `window_s` seconds off.
    pub fn new(window_s: i64) -> Self {
        Self { hasher: RandomState::new(), slots: Mutex::default(), window_s }
    }

    /// Takes the nonce that an access key sent. The timestamp was found to be within the window.
    pub fn take(&self, access_key: &str, nonce: &str, timestamp_s: i64, now_s: i64) -> Nonce {
        let mark = self.hasher.hash_one((access_key, nonce));
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(oldest) = slots.first_entry()
            && (oldest.key() + 1) * SLOT_S + self.window_s <= now_s
        {
            oldest.remove();
        }
        if slots.values().any(|slot| slot.contains(&mark)) {
            return Nonce::Seen;
        }
        if slots.values().map(HashSet::len).sum::<usize>() >= NONCES_MAX {
            return Nonce::Full;
        }
        slots.entry(timestamp_s.div_euclid(SLOT_S)).or_default().insert(mark);
        Nonce::Fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_000_000;

    #[test]
    fn a_nonce_is_taken_once_within_the_window() {
        let replay = Replay::new(900);
        // However far off the client's clock is: the request is acceptable until 900 s after its timestamp.
        for (nonce, timestamp) in [("late", START - 900), ("exact", START), ("early", START + 900)] {
            assert_eq!(replay.take("key", nonce, timestamp, START), Nonce::Fresh);
            assert_eq!(replay.take("other", nonce, timestamp, START), Nonce::Fresh);
            assert_eq!(replay.take("key", nonce, timestamp, START), Nonce::Seen, "{nonce}");
        }
        // With another timestamp it is another request, but the nonce is used all the same.
        assert_eq!(replay.take("key", "exact", START + 5, START + 5), Nonce::Seen);
        for later in [1, 899, 900] {
            assert_eq!(replay.take("key", "exact", START, START + later), Nonce::Seen, "{later}");
        }
        for later in [901, 1_800] {
            assert_eq!(replay.take("key", "early", START + 900, START + later), Nonce::Seen, "{later}");
        }
    }

    #[test]
    fn what_is_not_acceptable_any_more_is_forgotten() {
        let replay = Replay::new(900);
        for second in 0..10_000 {
            assert_eq!(replay.take("key", &second.to_string(), START + second, START + second), Nonce::Fresh);
        }
        let slots = replay.slots.lock().unwrap();
        let kept: usize = slots.values().map(HashSet::len).sum();
        assert!((900..=900 + 2 * SLOT_S as usize).contains(&kept), "{kept}");
    }
}
