//! Counters, at which no worker waits for another: loom has nothing to try there.

use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Default)]
pub struct PathCounters {
    pub out_of_turn: AtomicU64,
    pub panics: AtomicU64,
}

pub fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}
