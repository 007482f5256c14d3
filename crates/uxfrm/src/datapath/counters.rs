//! What an SA, a policy and the data path as a whole have done. Relaxed atomics, added to once per batch.

use crate::esp::EspError;
use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($(#[$doc:meta])* $name:ident, $values:ident { $($(#[$field_doc:meta])* $field:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub struct $name { $($(#[$field_doc])* pub $field: AtomicU64),* }

        /// The same at one moment.
        #[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
        pub struct $values { $(pub $field: u64),* }

        impl $name {
            /// The values now.
            pub fn read(&self) -> $values {
                $values { $($field: self.$field.load(Ordering::Relaxed)),* }
            }
        }

        impl $values {
            /// Names and values, for output.
            pub fn fields(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($field), self.$field)),*]
            }
        }
    };
}

counters! {
    /// Of one SA. Bytes are inner packets', as the kernel counts `curlft` (after decapsulation, before it).
    SaCounters, SaValues {
        bytes,
        packets,
        /// ICV wrong.
        integrity_failed,
        /// Left of the window or seen before.
        replayed,
        /// Impossible length or malformed padding.
        malformed,
        /// Inner packet outside of the SA's selector or its policy.
        policy_mismatch,
        /// Key or sequence number space used up.
        exhausted,
        /// The outer socket refused the packet.
        send_failed,
        /// Larger than the path's MTU.
        too_big,
    }
}

counters! {
    /// Of the data path of one engine: packets that no SA is to blame for.
    PathCounters, PathValues {
        /// Inner packets without a policy, or with a blocking one.
        no_policy,
        /// Inner packets whose policy has no SA yet.
        no_state,
        /// ESP packets with an unknown SPI.
        unknown_spi,
        /// ESP packets that came before their SA's keys and waited for them.
        early,
        /// Neither ESP nor IKE, or an inner packet that is no IP.
        malformed,
        /// Inner packets that the interface's queue refused, those of a super-packet one by one.
        interface_full,
        /// IKE packets glued to ESP by the kernel's receive coalescing; IKE sends them again.
        stray_ike,
        /// System calls that received ESP, and the packets they brought.
        receive_calls,
        received,
        /// System calls that sent ESP, and the packets they took.
        send_calls,
        sent,
        /// Batches that did not wait any longer for one with lower sequence numbers.
        out_of_turn,
        /// How often a full worker has begun to deal its flows out to the others.
        spreads,
        /// Writes to interfaces.
        interface_writes,
        /// Reads from interfaces.
        interface_reads,
        /// Packets given up because this program had a mistake.
        panics,
    }
}

/// Adds to a counter.
pub fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}

impl SaCounters {
    /// Counts a packet that was not sealed or opened.
    pub fn count_error(&self, error: EspError) {
        let counter = match error {
            EspError::Integrity => &self.integrity_failed,
            EspError::ReplayOld | EspError::Replayed => &self.replayed,
            EspError::Length | EspError::Padding | EspError::Buffer => &self.malformed,
            EspError::Exhausted => &self.exhausted,
        };
        add(counter, 1);
    }
}
