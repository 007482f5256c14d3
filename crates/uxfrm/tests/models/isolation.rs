//! As the data path's, without what it tells.

use super::counters::{PathCounters, add};
use std::panic::{AssertUnwindSafe, catch_unwind};

pub fn isolated(counters: &PathCounters, work: impl FnOnce()) -> bool {
    let finished = catch_unwind(AssertUnwindSafe(work)).is_ok();
    add(&counters.panics, u64::from(!finished));
    finished
}
