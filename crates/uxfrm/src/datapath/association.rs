//! The data path's view of an SA: keys, numbers and counters that survive changes of its addresses.

use super::counters::SaCounters;
use super::handover::Handover;
use super::notice::{Notice, Notifier};
use super::path_mtu::PathMtu;
use super::send_batch::Handed;
use crate::esp::algorithm::Algorithm;
use crate::esp::limits::KeyLimits;
use crate::esp::replay::ReplayWindow;
use crate::esp::sequence::SequenceCounter;
use crate::esp::transform::Transform;
use crate::xfrm::lifetime::{Limits, Usage};
use crate::xfrm::selector::Selector;
use crate::xfrm::state::SaId;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Which limits were reported already.
const SOFT_REPORTED: u8 = 1;
const HARD_REPORTED: u8 = 2;

/// A limit that a batch of packets reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitReached {
    /// Ask the daemon to rekey.
    Soft,
    /// The SA may not be used any more.
    Hard,
}

/// What stays the same while an SA lives.
pub struct Association {
    pub transform: Transform,
    pub sequence: Arc<SequenceCounter>,
    /// What is sealed and waits for its turn.
    pub handover: Handover<Handed>,
    pub replay: Arc<Mutex<ReplayWindow>>,
    pub counters: SaCounters,
    /// Unix seconds; 0 for never.
    pub first_use: AtomicU64,
    pub last_use: AtomicU64,
    /// When the control thread was last told that the peer's address is another, in Unix seconds.
    pub mapping_told: AtomicU64,
    pub path_mtu: PathMtu,
    limits: [AtomicU64; 4],
    reported: AtomicU8,
}

impl Association {
    /// `last_sequence` was sent last under this key, which has protected `carried` so far.
    pub fn new(
        transform: Transform,
        last_sequence: u64,
        replay: ReplayWindow,
        limits: &Limits,
        carried: &Usage,
    ) -> Self {
        let key = KeyLimits::of(transform.algorithm(), transform.extended_sequence());
        let sequence = Arc::new(SequenceCounter::new(last_sequence, key.hard_packets));
        let this = Self {
            handover: Handover::new(sequence.clone()),
            sequence,
            transform,
            replay: Arc::new(Mutex::new(replay)),
            counters: SaCounters {
                bytes: carried.bytes.into(),
                packets: carried.packets.into(),
                ..SaCounters::default()
            },
            first_use: AtomicU64::new(carried.use_time),
            last_use: AtomicU64::new(0),
            mapping_told: AtomicU64::new(0),
            path_mtu: PathMtu::default(),
            limits: Default::default(),
            reported: AtomicU8::new(0),
        };
        this.set_limits(limits);
        this
    }

    /// The algorithm in use.
    pub fn algorithm(&self) -> Algorithm {
        self.transform.algorithm()
    }

    /// Sets the daemon's limits; those of the key itself always hold.
    pub fn set_limits(&self, limits: &Limits) {
        let key = KeyLimits::of(self.transform.algorithm(), self.transform.extended_sequence());
        let values = [
            limits.soft_bytes.min(key.soft_bytes),
            limits.hard_bytes.min(key.hard_bytes),
            limits.soft_packets.min(key.soft_packets),
            limits.hard_packets.min(key.hard_packets),
        ];
        for (limit, value) in self.limits.iter().zip(values) {
            limit.store(value, Ordering::Relaxed);
        }
    }

    /// Whether the counter of bytes or packets has come to its limit: `which` is 0 for the soft ones, 1 for the hard ones.
    fn has_reached(&self, which: usize) -> bool {
        let limit = |i: usize| self.limits[i].load(Ordering::Relaxed);
        self.counters.bytes.load(Ordering::Relaxed) >= limit(which)
            || self.counters.packets.load(Ordering::Relaxed) >= limit(which + 2)
    }

    /// Whether a hard limit of bytes or packets has been reached.
    pub fn is_used_up(&self) -> bool {
        self.has_reached(1)
    }

    /// Whether it has come to a hard limit, or to the end of its numbers.
    pub fn is_spent(&self) -> bool {
        self.is_used_up() || self.sequence.is_exhausted()
    }

    /// Counts a batch at `now` (Unix seconds). Returns a limit when it is reached for the first time.
    pub fn charge(&self, packets: u64, bytes: u64, now: u64) -> Option<LimitReached> {
        self.counters.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.counters.packets.fetch_add(packets, Ordering::Relaxed);
        if self.last_use.swap(now, Ordering::Relaxed) == 0 && self.first_use.load(Ordering::Relaxed) == 0 {
            self.first_use.store(now, Ordering::Relaxed);
        }
        self.limit_reached()
    }

    /// A limit that has been reached and was not reported yet: also where the SA came with it, or was given a lower one.
    pub fn limit_reached(&self) -> Option<LimitReached> {
        let report = |bit| self.reported.fetch_or(bit, Ordering::Relaxed) & bit == 0;
        if self.is_spent() {
            return report(HARD_REPORTED).then_some(LimitReached::Hard);
        }
        if self.has_reached(0) {
            return report(SOFT_REPORTED).then_some(LimitReached::Soft);
        }
        None
    }

    /// Lets limits be reported again: for an event that was lost, or after new ones were set.
    pub fn rearm(&self) {
        self.reported.store(0, Ordering::Relaxed);
    }
}

/// Where an SA's packets come from and go to, and how they are wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outer {
    pub source: IpAddr,
    pub destination: IpAddr,
    /// Source and destination port of ESP in UDP; `None` for IP protocol 50.
    pub ports: Option<(u16, u16)>,
    /// No ECN of RFC 6040: outer ECN is zero.
    pub no_ecn: bool,
    /// Outer DSCP is copied to the inner packet on receipt.
    pub decapsulate_dscp: bool,
    /// Inner DSCP is not shown outside.
    pub hide_dscp: bool,
    /// Never set DF outside; otherwise it is the inner packet's.
    pub no_pmtu_discovery: bool,
}

/// An SA as it stands in a snapshot.
#[derive(Clone)]
pub struct SaView {
    pub id: SaId,
    pub reqid: u32,
    pub if_id: u32,
    pub selector: Selector,
    pub outer: Outer,
    pub association: Arc<Association>,
}

impl SaView {
    /// Passes a limit on to the control thread; where it cannot take it now, the limit is reached again with the next packet.
    pub fn tell_limit(&self, notifier: &Notifier, limit: Option<LimitReached>) {
        if let Some(limit) = limit
            && !notifier.send(Notice::Limit { id: self.id, limit })
        {
            self.association.rearm();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::esp::EspError;
    use crate::esp::algorithm::{AeadCipher, Cipher, Hash};

    fn association(algorithm: Algorithm, extended: bool, last: u64, limits: &Limits) -> Association {
        let (cipher, mac) = algorithm.key_lens();
        let transform = Transform::new(algorithm, &vec![1; cipher], &vec![2; mac], extended).unwrap();
        Association::new(transform, last, ReplayWindow::new(32, extended), limits, &Usage::default())
    }

    const GCM: Algorithm = Algorithm::Aead { cipher: AeadCipher::Aes128Gcm, icv: 16 };

    #[test]
    fn limits_are_reported_once_and_hard_ones_stop_the_sa() {
        let limits = Limits { soft_bytes: 100, hard_packets: 5, ..Limits::NONE };
        let sa = association(GCM, true, 0, &limits);
        assert_eq!(sa.charge(1, 99, 7), None);
        assert_eq!(sa.charge(1, 1, 8), Some(LimitReached::Soft));
        assert_eq!(sa.charge(1, 1, 9), None);
        assert!(!sa.is_used_up());
        assert_eq!(sa.charge(2, 1, 9), Some(LimitReached::Hard));
        assert_eq!(sa.charge(1, 1, 9), None);
        assert!(sa.is_used_up());
        assert_eq!((sa.first_use.load(Ordering::Relaxed), sa.last_use.load(Ordering::Relaxed)), (7, 9));
    }

    #[test]
    fn sequence_numbers_end_and_never_wrap() {
        let sa = association(GCM, false, u64::from(u32::MAX) - 2, &Limits::NONE);
        let last = u64::from(u32::MAX);
        assert_eq!(sa.sequence.claim(1), Ok(last - 1..=last - 1));
        assert_eq!(sa.sequence.claim(5), Ok(last..=last), "what is left");
        for _ in 0..3 {
            assert_eq!(sa.sequence.claim(1), Err(EspError::Exhausted));
        }
        assert_eq!(sa.sequence.last(), u64::from(u32::MAX));
        // With 64 bits the key's own limit comes first.
        let sa = association(GCM, true, (1 << 36) - 1, &Limits::NONE);
        assert_eq!(sa.sequence.claim(1), Ok(1 << 36..=1 << 36));
        assert_eq!(sa.sequence.claim(1), Err(EspError::Exhausted));
    }

    #[test]
    fn a_short_block_limits_the_bytes_whatever_the_daemon_says() {
        let triple = Algorithm::CipherAndMac { cipher: Cipher::TripleDesCbc, hash: Hash::Sha1, icv: 12 };
        let sa = association(triple, false, 0, &Limits::NONE);
        assert_eq!(sa.charge(1, 1 << 30, 1), Some(LimitReached::Soft));
        assert_eq!(sa.charge(1, 3 << 30, 1), Some(LimitReached::Hard));
        assert!(sa.is_used_up());
    }
}
