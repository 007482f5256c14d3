//! What threads meet at. Named in one place so that the models (`tests/models`) can compile the files that use it with primitives
//! whose every order is tried.

pub use std::hint::spin_loop;
pub use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
pub use std::sync::{Condvar, Mutex, MutexGuard};
pub use std::thread::yield_now;
pub use std::time::Instant;
