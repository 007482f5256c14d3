//! What workers share: their buffers, and a wire.

use super::counters::PathCounters;
use super::spares::Spares;
use std::panic::resume_unwind;
use std::sync::Mutex;

/// What loom has to know of the wire: who sends comes after who has sent before.
pub type Turns = loom::cell::UnsafeCell<()>;

pub struct Shared {
    pub sockets: Vec<()>,
    pub spares: Vec<Spares>,
    pub counters: PathCounters,
    /// Where limits are never reached, no two may send at once.
    turns: Option<Turns>,
    wire: Mutex<Vec<u64>>,
    /// Whose packets cannot be sent: whoever tries panics.
    pub unsendable: Mutex<Vec<u64>>,
}

impl Shared {
    /// So many workers, of which one sends at a time if that `is_strict`.
    pub fn new(workers: usize, is_strict: bool) -> Self {
        Self {
            sockets: vec![(); workers],
            spares: (0..workers).map(|_| Spares::default()).collect(),
            counters: PathCounters::default(),
            turns: is_strict.then(Turns::default),
            wire: Mutex::default(),
            unsendable: Mutex::default(),
        }
    }

    pub fn send(&self, numbers: &[u64]) {
        if numbers.iter().any(|number| self.unsendable.lock().unwrap().contains(number)) {
            // Not told by the hook, which prints.
            resume_unwind(Box::new("a packet"));
        }
        let put = || self.wire.lock().unwrap().extend(numbers);
        match &self.turns {
            // Another thread may come while this one is here, and loom tells.
            Some(turns) => turns.with_mut(|_| put()),
            None => put(),
        }
    }

    /// The numbers that were sent, in their order.
    pub fn wire(&self) -> Vec<u64> {
        self.wire.lock().unwrap().clone()
    }
}
