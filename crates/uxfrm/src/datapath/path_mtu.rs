//! The path MTU of an SA, asked from the kernel's route at most once a second.

use super::association::Outer;
use crate::sys::socket;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Taken where the kernel does not know: Ethernet's, in bytes.
const DEFAULT: u32 = 1500;
/// Below these no path may be (RFC 791: 68, but Linux's `min_pmtu` is 552; RFC 8200: 1280), whatever an ICMP message says.
const MINIMUM_V4: u32 = 552;
const MINIMUM_V6: u32 = 1280;

/// What is known.
#[derive(Debug, Default)]
pub struct PathMtu {
    /// Bytes of outer IP packet.
    value: AtomicU32,
    /// Unix seconds.
    asked: AtomicU64,
}

impl PathMtu {
    /// Largest ESP packet, in bytes, that fits one outer packet.
    pub fn esp_len(&self, outer: &Outer, now: u64) -> usize {
        if self.asked.swap(now, Ordering::Relaxed) != now {
            let minimum = if outer.destination.is_ipv6() { MINIMUM_V6 } else { MINIMUM_V4 };
            let value = socket::path_mtu(outer.destination).unwrap_or(DEFAULT).max(minimum);
            self.value.store(value, Ordering::Relaxed);
        }
        let ip = if outer.destination.is_ipv6() { 40 } else { 20 };
        let udp = if outer.ports.is_some() { 8 } else { 0 };
        self.value.load(Ordering::Relaxed) as usize - ip - udp
    }

    /// Asks again at the next packet.
    pub fn forget(&self) {
        self.asked.store(0, Ordering::Relaxed);
    }
}
