//! Replay protection: a nonce is taken once within the window of its dialect.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Mutex, PoisonError};

use crate::limits::NONCES_MAX;

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

/// Remembers nonces in two halves: when the younger half is as old as a whole window, it becomes the older one and
/// the older one is forgotten. A nonce is thus remembered for one to two windows. A timestamp may lie a window in
/// the past or in the future, so a window here is twice the dialect's.
pub(crate) struct Replay {
    hashers: [RandomState; 2],
    halves: Mutex<Halves>,
    window_s: i64,
}

#[derive(Default)]
struct Halves {
    young: HashSet<u128>,
    old: HashSet<u128>,
    began_s: i64,
}

impl Replay {
    /// For a dialect whose timestamps may be `window_s` seconds off.
    pub fn new(window_s: i64) -> Self {
        Self {
            hashers: [RandomState::new(), RandomState::new()],
            halves: Mutex::new(Halves::default()),
            window_s: window_s * 2,
        }
    }

    /// Takes the nonce that an access key sent.
    pub fn take(&self, access_key: &str, nonce: &str, now_s: i64) -> Nonce {
        let [high, low] = self.hashers.each_ref().map(|hasher| hasher.hash_one((access_key, nonce)));
        let mark = u128::from(high) << 64 | u128::from(low);
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        if now_s - halves.began_s >= self.window_s {
            // A pause longer than two windows makes both halves old.
            let is_long_ago = now_s - halves.began_s >= self.window_s * 2;
            halves.old = std::mem::take(&mut halves.young);
            if is_long_ago {
                halves.old.clear();
            }
            halves.began_s = now_s;
        }
        if halves.young.contains(&mark) || halves.old.contains(&mark) {
            return Nonce::Seen;
        }
        if halves.young.len() >= NONCES_MAX {
            return Nonce::Full;
        }
        halves.young.insert(mark);
        Nonce::Fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_taken_once_within_the_window() {
        let replay = Replay::new(900);
        let start = 1_000_000;
        assert_eq!(replay.take("key", "n", start), Nonce::Fresh);
        assert_eq!(replay.take("other", "n", start), Nonce::Fresh);
        // The same timestamp is acceptable until 900 s after it, and may have been sent 900 s before it.
        for later in [0, 1, 899, 1_799, 1_800] {
            assert_eq!(replay.take("key", "n", start + later), Nonce::Seen, "{later}");
        }
        assert_eq!(replay.take("key", "n", start + 10_000), Nonce::Fresh);
    }
}
