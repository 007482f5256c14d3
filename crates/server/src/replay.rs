//! Replay protection: a nonce is taken once within the window of its dialect.

use std::collections::hash_map::{Entry, RandomState};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};
use std::sync::{Mutex, PoisonError, RwLock};

use aws_lc_rs::digest;
use causeway_store::SpentNonce;

use crate::limits::NONCES_MAX;

/// Seconds of timestamps that share a slot.
const SLOT_S: i64 = 300;
/// Parts of the memory, each with a lock of its own: one that grows makes no request of another wait.
const SHARDS: usize = 64;

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

/// Marks are hashes already.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("marks are numbers of 64 bits");
    }

    fn write_u64(&mut self, mark: u64) {
        self.0 = mark;
    }
}

/// Numbers that are hashes.
type Marks = HashSet<u64, BuildHasherDefault<AsItIs>>;
/// How many marks each access key has, by its hash.
type Counts = HashMap<u64, usize, BuildHasherDefault<AsItIs>>;

/// The nonces whose timestamps share a slot.
#[derive(Default)]
struct Slot {
    marks: Marks,
    of_keys: Counts,
}

/// A part of the memory. See [`Replay`].
#[derive(Default)]
struct Shard {
    slots: BTreeMap<i64, Slot>,
    of_keys: Counts,
    len: usize,
}

impl Shard {
    fn forget(&mut self, is_over: impl Fn(i64) -> bool) {
        while let Some(oldest) = self.slots.first_entry()
            && is_over(*oldest.key())
        {
            let slot = oldest.remove();
            self.len -= slot.marks.len();
            for (key, count) in slot.of_keys {
                if let Entry::Occupied(mut all) = self.of_keys.entry(key) {
                    *all.get_mut() -= count;
                    if *all.get() == 0 {
                        all.remove();
                    }
                }
            }
        }
    }

    /// Whether a key has its share: as many places as are free. So one key alone may take half of the places, two a
    /// third each, and there are always some left for a key that has none (the dynamic thresholds of Choudhury and
    /// Hahne, 1998).
    fn has_its_share(&self, key: u64, places: usize) -> bool {
        self.of_keys.get(&key).copied().unwrap_or_default() >= places.saturating_sub(self.len)
    }

    fn insert(&mut self, slot: i64, key: u64, mark: u64) {
        let slot = self.slots.entry(slot).or_default();
        slot.marks.insert(mark);
        *slot.of_keys.entry(key).or_default() += 1;
        *self.of_keys.entry(key).or_default() += 1;
        self.len += 1;
    }
}

/// Remembers nonces in slots by the timestamps of their requests, which the signatures cover: a slot is forgotten
/// when none of its timestamps is acceptable any more. A nonce is kept as a keyed hash of 64 bits; with
/// [`NONCES_MAX`] of them one request in about 10^12 is taken for a replay that is none, and can be sent again.
///
/// What is kept here ends with the service. Nonces of requests that may change something are also kept in the store,
/// with what they changed ([`Replay::spent`]), and a service that starts is given those of the ones before it. So only
/// what reads can be sent again after a restart, and whatever a client's clock shows, it is let in at once.
pub(crate) struct Replay {
    /// The dialect's word.
    dialect: String,
    hasher: RandomState,
    shards: Vec<Mutex<Shard>>,
    window_s: i64,
    earlier: RwLock<Earlier>,
    /// Nonces of one shard at most.
    places: usize,
}

/// Nonces that services before this one took, of all dialects. None is added.
#[derive(Default)]
struct Earlier {
    marks: HashSet<[u8; 16]>,
    /// The last second at which one of them counts.
    until_s: i64,
}

impl Replay {
    /// For a dialect whose timestamps may be `window_s` seconds off. `earlier` are the nonces that the services before
    /// this one took.
    pub fn new(dialect: &str, window_s: i64, earlier: &[SpentNonce]) -> Self {
        Self::with_places(dialect, window_s, earlier, NONCES_MAX / SHARDS)
    }

    fn with_places(dialect: &str, window_s: i64, earlier: &[SpentNonce], places: usize) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        let earlier = RwLock::new(Earlier {
            marks: earlier.iter().map(|nonce| nonce.mark).collect(),
            until_s: earlier.iter().map(|nonce| nonce.until_s).max().unwrap_or(i64::MIN),
        });
        Self { dialect: dialect.to_owned(), hasher: RandomState::new(), shards, window_s, earlier, places }
    }

    /// What the store is to keep of a nonce.
    pub fn spent(&self, access_key: &str, nonce: &str, timestamp_s: i64, now_s: i64) -> SpentNonce {
        let until_s = timestamp_s.saturating_add(self.window_s);
        SpentNonce { mark: self.mark(access_key, nonce), taken_s: now_s, until_s }
    }

    /// The same in every service. No word of a dialect and no access key holds the separator.
    fn mark(&self, access_key: &str, nonce: &str) -> [u8; 16] {
        let text = [&self.dialect, "\0", access_key, "\0", nonce].concat();
        let digest = digest::digest(&digest::SHA256, text.as_bytes());
        std::array::from_fn(|place| digest.as_ref()[place])
    }

    fn was_taken_earlier(&self, access_key: &str, nonce: &str, now_s: i64) -> bool {
        let earlier = self.earlier.read().unwrap_or_else(PoisonError::into_inner);
        if earlier.marks.is_empty() {
            return false;
        }
        if now_s <= earlier.until_s {
            return earlier.marks.contains(&self.mark(access_key, nonce));
        }
        drop(earlier);
        *self.earlier.write().unwrap_or_else(PoisonError::into_inner) = Earlier::default();
        false
    }

    /// Takes the nonce that an access key sent. The timestamp was found to be within the window.
    pub fn take(&self, access_key: &str, nonce: &str, timestamp_s: i64, now_s: i64) -> Nonce {
        if self.was_taken_earlier(access_key, nonce, now_s) {
            return Nonce::Seen;
        }
        let key = self.hasher.hash_one(access_key);
        let mark = self.hasher.hash_one((key, nonce));
        // The lowest bits choose the place in a set.
        let shard = &self.shards[(mark >> 32) as usize % SHARDS];
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        shard.forget(|slot| (slot + 1) * SLOT_S + self.window_s <= now_s);
        if shard.slots.values().any(|slot| slot.marks.contains(&mark)) {
            return Nonce::Seen;
        }
        if shard.has_its_share(key, self.places) {
            return Nonce::Full;
        }
        shard.insert(timestamp_s.div_euclid(SLOT_S), key, mark);
        Nonce::Fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_000_000;

    #[test]
    fn a_nonce_is_taken_once_within_the_window() {
        let replay = Replay::new("d", 900, &[]);
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
        let replay = Replay::new("d", 900, &[]);
        for second in 0..20_000 {
            assert_eq!(replay.take("key", &second.to_string(), START + second, START + second), Nonce::Fresh);
        }
        let (mut kept, mut of_keys) = (0, 0);
        for shard in &replay.shards {
            let shard = shard.lock().unwrap();
            kept += shard.slots.values().map(|slot| slot.marks.len()).sum::<usize>();
            of_keys += shard.of_keys.values().sum::<usize>();
            assert_eq!(shard.len, shard.slots.values().map(|slot| slot.marks.len()).sum::<usize>());
        }
        // A shard forgets when it is next asked, here about every minute.
        assert!((900..=900 + 4 * SLOT_S as usize).contains(&kept), "{kept}");
        assert_eq!(of_keys, kept);
    }

    #[test]
    fn one_key_can_not_use_up_what_all_have() {
        const PLACES: usize = 100;
        let replay = Replay::with_places("d", 900, &[], PLACES);
        let take_all = |key: &str| {
            let fresh = |n: &usize| replay.take(key, &n.to_string(), START, START) == Nonce::Fresh;
            (0..3 * PLACES * SHARDS).filter(fresh).count()
        };
        let all = PLACES * SHARDS;
        let greedy = take_all("greedy");
        assert!((all * 4 / 10..=all / 2).contains(&greedy), "{greedy} of {all}");
        let second = take_all("second");
        assert!((all * 2 / 10..=all / 4).contains(&second), "{second} of {all}");
        assert_eq!(replay.take("modest", "1", START, START), Nonce::Fresh);
        // When the window is over the places are free again.
        assert_eq!(replay.take("greedy", "again", START + 1_500, START + 1_500), Nonce::Fresh);
    }

    #[test]
    fn what_an_earlier_service_took_is_refused_as_long_as_it_counts() {
        let before = Replay::new("d", 900, &[]);
        let spent = [
            before.spent("key", "exact", START, START),
            before.spent("key", "early", START + 900, START),
            Replay::new("other", 900, &[]).spent("key", "free", START, START),
        ];
        let replay = Replay::new("d", 900, &spent);
        for now in [START, START + 900] {
            assert_eq!(replay.take("key", "exact", START, now), Nonce::Seen);
            assert_eq!(replay.take("key", "early", START + 900, now), Nonce::Seen);
        }
        assert_eq!(replay.take("key", "early", START + 900, START + 1_800), Nonce::Seen);
        assert_eq!(replay.take("key", "free", START, START), Nonce::Fresh);
        assert_eq!(replay.take("another", "exact", START, START), Nonce::Fresh);
        assert_eq!(replay.take("key", "late", START - 900, START), Nonce::Fresh, "made before the start");
        assert_eq!(replay.take("key", "new", START + 1_801, START + 1_801), Nonce::Fresh);
        assert!(replay.earlier.read().unwrap().marks.is_empty(), "what is over is not kept");
    }
}
