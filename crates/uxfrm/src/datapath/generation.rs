//! By which picture each worker works, so that whoever has published another one can wait until nobody works by an older one.

use crate::sync::{AtomicU64, Ordering};

/// Later than every generation.
const RESTING: u64 = u64::MAX;

/// Counts pictures, from one on.
pub struct Generations {
    newest: AtomicU64,
    working: Vec<Working>,
}

/// The generation that a worker works by; [`RESTING`] while it works by none. Workers write theirs all the time, hence a cache
/// line for each.
#[repr(align(128))]
struct Working(AtomicU64);

impl Generations {
    /// So many workers, all of which rest.
    pub fn of(workers: usize) -> Self {
        let working = (0..workers).map(|_| Working(AtomicU64::new(RESTING))).collect();
        Self { newest: AtomicU64::new(1), working }
    }

    /// That of the picture that was published last.
    pub fn newest(&self) -> u64 {
        self.newest.load(Ordering::SeqCst)
    }

    /// Another picture has taken the place of the one before.
    pub fn advance(&self) {
        self.newest.fetch_add(1, Ordering::SeqCst);
    }

    /// A worker works by the newest picture, which it takes after this if it has another, until it rests or asks again.
    pub fn work(&self, worker: usize) -> u64 {
        // Said first and then looked at again: whoever publishes in between is either seen here or sees this.
        loop {
            let generation = self.newest();
            self.working[worker].0.store(generation, Ordering::SeqCst);
            if self.newest() == generation {
                return generation;
            }
        }
    }

    /// A worker has nothing to do: it holds up nobody.
    pub fn rest(&self, worker: usize) {
        self.working[worker].0.store(RESTING, Ordering::SeqCst);
    }

    /// Whether a worker works by an older picture than that of `generation`.
    pub fn is_behind(&self, worker: usize, generation: u64) -> bool {
        self.working[worker].0.load(Ordering::SeqCst) < generation
    }
}
