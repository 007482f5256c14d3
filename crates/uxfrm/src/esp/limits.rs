//! How much one key may protect, whatever the IKE daemon configured. Reaching the soft limit asks for a rekey
//! (a soft EXPIRE), the hard limit stops the SA.

use super::algorithm::Algorithm;

/// Packets and bytes that one key may protect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyLimits {
    pub soft_packets: u64,
    pub hard_packets: u64,
    pub soft_bytes: u64,
    pub hard_bytes: u64,
}

/// 2^36 packets of at most 2^12 blocks keep GCM's distinguishing advantage (blocks squared over 2^129) under
/// 2^-33, and in practice (1500-byte packets) under 2^-43.
const AEAD_HARD_PACKETS: u64 = 1 << 36;
/// Without extended sequence numbers the counter ends at 2^32 - 1.
const SHORT_SEQUENCE_HARD_PACKETS: u64 = u32::MAX as u64;
/// 64-bit blocks: 4 GiB are 2^29 blocks, a collision chance of 2^-7 (RFC 9206 and "Sweet32" advise less; the
/// soft limit makes the daemon rekey long before).
const SHORT_BLOCK_HARD_BYTES: u64 = 4 << 30;
const SHORT_BLOCK_SOFT_BYTES: u64 = 1 << 30;

impl KeyLimits {
    /// The limits of an algorithm with or without extended sequence numbers.
    pub fn of(algorithm: Algorithm, extended_sequence: bool) -> Self {
        let hard_packets = if extended_sequence { AEAD_HARD_PACKETS } else { SHORT_SEQUENCE_HARD_PACKETS };
        let short = algorithm.has_short_block();
        Self {
            soft_packets: hard_packets - hard_packets / 8,
            hard_packets,
            soft_bytes: if short { SHORT_BLOCK_SOFT_BYTES } else { u64::MAX },
            hard_bytes: if short { SHORT_BLOCK_HARD_BYTES } else { u64::MAX },
        }
    }
}
