//! In place of `src/sync.rs`: loom's primitives, and a clock that a model sets.
//!
//! Where all accesses to a variable are sequentially consistent, as all are that workers meet at but the claiming of numbers (one
//! read-modify-write each), loom lets a load see the newest store alone: what was set before the threads began must have been
//! stored so, too.

pub use loom::hint::spin_loop;
pub use loom::sync::atomic::Ordering;
pub use loom::sync::{Mutex, MutexGuard};
pub use loom::thread::yield_now;
use std::cell::RefCell;
use std::sync::{Arc, LockResult, PoisonError};
use std::time::Duration;

macro_rules! atomic {
    ($name:ident, $value:ty) => {
        #[derive(Debug)]
        pub struct $name(loom::sync::atomic::$name);

        #[allow(dead_code)]
        impl $name {
            pub fn new(value: $value) -> Self {
                let this = Self(loom::sync::atomic::$name::new(value));
                this.0.store(value, Ordering::SeqCst);
                this
            }

            pub fn load(&self, order: Ordering) -> $value {
                self.0.load(order)
            }

            pub fn store(&self, value: $value, order: Ordering) {
                self.0.store(value, order);
            }

            pub fn fetch_add(&self, value: $value, order: Ordering) -> $value {
                self.0.fetch_add(value, order)
            }

            pub fn fetch_sub(&self, value: $value, order: Ordering) -> $value {
                self.0.fetch_sub(value, order)
            }

            pub fn fetch_max(&self, value: $value, order: Ordering) -> $value {
                self.0.fetch_max(value, order)
            }

            pub fn swap(&self, value: $value, order: Ordering) -> $value {
                self.0.swap(value, order)
            }

            pub fn fetch_update(
                &self,
                set: Ordering,
                fetch: Ordering,
                update: impl FnMut($value) -> Option<$value>,
            ) -> Result<$value, $value> {
                self.0.fetch_update(set, fetch, update)
            }

            pub fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.0.compare_exchange(current, new, success, failure)
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new(0)
            }
        }
    };
}

atomic!(AtomicU32, u32);
atomic!(AtomicU64, u64);
atomic!(AtomicUsize, usize);

/// When time limits are reached.
#[derive(Clone)]
pub enum Clock {
    Never,
    AtOnce,
    /// When a thread of the model sets this.
    When(Arc<AtomicU32>),
}

thread_local! {
    // loom's threads are all of one thread of the system.
    static CLOCK: RefCell<Clock> = const { RefCell::new(Clock::Never) };
}

impl Clock {
    /// Holds from now on: the first thing that a model does.
    pub fn set(self) {
        CLOCK.set(self);
    }

    fn is_over() -> bool {
        match CLOCK.with_borrow(Self::clone) {
            Self::Never => false,
            Self::AtOnce => true,
            Self::When(over) => over.load(Ordering::SeqCst) != 0,
        }
    }
}

/// A moment. Longer ago than anybody spins, and less than any limit until the clock says that limits are reached.
#[derive(Clone, Copy)]
pub struct Instant;

impl Instant {
    pub fn now() -> Self {
        Self
    }

    pub fn elapsed(&self) -> Duration {
        if Clock::is_over() { Duration::from_secs(3600) } else { Duration::from_millis(1) }
    }
}

/// Wakes those that sleep, as std's: but for the time, which the clock makes.
#[derive(Debug, Default)]
pub struct Condvar(loom::sync::Condvar);

pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    pub fn timed_out(&self) -> bool {
        self.0
    }
}

impl Condvar {
    pub fn notify_all(&self) {
        self.0.notify_all();
    }

    /// Whoever sets the clock has to notify.
    pub fn wait_timeout_while<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        _limit: Duration,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        while condition(&mut guard) {
            if Clock::is_over() {
                return Ok((guard, WaitTimeoutResult(true)));
            }
            guard = self.0.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        Ok((guard, WaitTimeoutResult(false)))
    }
}
