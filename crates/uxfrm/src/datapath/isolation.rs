//! What a packet provokes must end with that packet.

use super::counters::{PathCounters, add};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

/// Does work on packets. Whether it came to its end: a panic is caught and counted, so that a packet that finds a mistake in this
/// program does not end the tunnels of everybody. The caller then puts its own state in order.
///
/// What several threads share stays sound: numbers are handed out and counters added to by single atomic operations, and a replay
/// window is changed only after the packet's check value was found right.
pub fn isolated(counters: &PathCounters, work: impl FnOnce()) -> bool {
    let finished = catch_unwind(AssertUnwindSafe(work)).is_ok();
    if !finished {
        add(&counters.panics, 1);
    }
    finished
}

/// For the whole process: a panic is told in one line, and at most one a second, whoever sends the packets.
pub fn quieten_panics() {
    static LAST: AtomicU64 = AtomicU64::new(u64::MAX);
    std::panic::set_hook(Box::new(|info| {
        let second = crate::sys::monotonic_ms() / 1000;
        if LAST.swap(second, Ordering::Relaxed) != second {
            let thread = std::thread::current();
            crate::engine::say(format_args!("{}: {info}", thread.name().unwrap_or("?")));
        }
    }));
}
