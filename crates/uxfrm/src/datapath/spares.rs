//! The buffers of a worker that it does not seal into now: whoever has sent for it brings them back.

use super::sealed::{SPARES, Sealed};
use crate::sync::{AtomicU64, AtomicUsize, Mutex, MutexGuard, Ordering};
use std::sync::PoisonError;

/// Those of one worker.
#[derive(Default)]
pub struct Spares {
    at_home: Mutex<Vec<Sealed>>,
    /// How many are here; how many are away, and their worker waits for them; and how many though it does not any more. Changed
    /// under the lock, and to be read without: each alone says something.
    here: AtomicUsize,
    awaited: AtomicUsize,
    late: AtomicUsize,
    round: AtomicU64,
}

impl Spares {
    /// Makes them.
    ///
    /// # Errors
    /// Where memory cannot be had.
    pub fn fill(&self) -> std::io::Result<()> {
        let made = (0..SPARES).map(|_| Sealed::new()).collect::<Result<Vec<_>, _>>()?;
        let mut at_home = self.lock();
        *at_home = made;
        self.here.store(SPARES, Ordering::SeqCst);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Sealed>> {
        self.at_home.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one.
    pub fn take(&self) -> Option<Sealed> {
        let mut at_home = self.lock();
        let taken = at_home.pop()?;
        self.here.store(at_home.len(), Ordering::SeqCst);
        self.awaited.fetch_add(1, Ordering::SeqCst);
        Some(taken)
    }

    /// How often some were given up, for what is handed over now.
    pub fn round(&self) -> u64 {
        self.round.load(Ordering::SeqCst)
    }

    /// Brings one back that was handed over in a round.
    pub fn put(&self, mut sealed: Sealed, round: u64) {
        sealed.clear();
        let mut at_home = self.lock();
        at_home.push(sealed);
        self.here.store(at_home.len(), Ordering::SeqCst);
        let away = if round == self.round() { &self.awaited } else { &self.late };
        away.fetch_sub(1, Ordering::SeqCst);
    }

    /// Whether there is one.
    pub fn is_any(&self) -> bool {
        self.here.load(Ordering::SeqCst) > 0
    }

    /// Whether none is away but those that were given up.
    pub fn is_whole(&self) -> bool {
        self.awaited.load(Ordering::SeqCst) == 0
    }

    /// Those that are away are not waited for.
    pub fn give_up(&self) {
        // Nobody brings one back meanwhile.
        let _at_home = self.lock();
        self.late.fetch_add(self.awaited.load(Ordering::SeqCst), Ordering::SeqCst);
        self.awaited.store(0, Ordering::SeqCst);
        self.round.fetch_add(1, Ordering::SeqCst);
    }

    /// Whether one is away that was given up.
    pub fn is_late(&self) -> bool {
        self.late.load(Ordering::SeqCst) > 0
    }

    /// Gives memory back.
    pub fn release(&self) {
        self.lock().iter_mut().for_each(Sealed::release);
    }
}
