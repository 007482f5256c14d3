//! The path MTU of an SA, asked from the kernel's route at most once a second, and after a packet was sent rather than before: asking
//! takes four system calls, and the one packet after a silence should not wait for them.

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
    /// Bytes of outer IP packet; 0 for not known.
    value: AtomicU32,
    /// Unix seconds.
    asked: AtomicU64,
}

impl PathMtu {
    /// Largest ESP packet, in bytes, that fits one outer packet.
    pub fn esp_len(&self, outer: &Outer) -> usize {
        let value = match self.value.load(Ordering::Relaxed) {
            0 => self.ask(outer),
            known => known,
        };
        let ip = if outer.destination.is_ipv6() { 40 } else { 20 };
        let udp = if outer.ports.is_some() { 8 } else { 0 };
        value as usize - ip - udp
    }

    /// Asks where that was not done in the second `now`.
    pub fn renew(&self, outer: &Outer, now: u64) {
        if self.asked.swap(now, Ordering::Relaxed) != now {
            self.ask(outer);
        }
    }

    fn ask(&self, outer: &Outer) -> u32 {
        let minimum = if outer.destination.is_ipv6() { MINIMUM_V6 } else { MINIMUM_V4 };
        let value = socket::path_mtu(outer.destination).unwrap_or(DEFAULT).max(minimum);
        self.value.store(value, Ordering::Relaxed);
        value
    }

    /// Asks again before the next packet.
    pub fn forget(&self) {
        self.value.store(0, Ordering::Relaxed);
    }
}
