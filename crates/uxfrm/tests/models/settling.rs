//! Pictures of the databases, and who works by them.

use crate::Model;
use crate::datapath::generation::Generations;
use crate::sync::{AtomicU64, Clock, Ordering};
use loom::sync::Mutex;
use loom::thread;
use std::sync::Arc;

pub const MODELS: &[Model] = models![nobody_works_by_what_was_answered: Some(5)];

struct Machine {
    generations: Generations,
    picture: Mutex<u64>,
    /// The daemon knows that this one holds.
    answered: AtomicU64,
}

impl Machine {
    fn work(&self, worker: usize) {
        let (mut cached, mut picture) = (0, 0);
        for _ in 0..2 {
            let generation = self.generations.work(worker);
            if generation != cached {
                picture = *self.picture.lock().unwrap();
                cached = generation;
            }
            assert!(picture >= self.answered.load(Ordering::SeqCst), "works by an old one");
            self.generations.rest(worker);
        }
    }

    fn change(&self, workers: usize) {
        for picture in 1..=2 {
            *self.picture.lock().unwrap() = picture;
            self.generations.advance();
            let generation = self.generations.newest();
            for worker in 0..workers {
                while self.generations.is_behind(worker, generation) {
                    thread::yield_now();
                }
            }
            self.answered.store(picture, Ordering::SeqCst);
        }
    }
}

fn nobody_works_by_what_was_answered() {
    Clock::Never.set();
    // loom's threads are of one thread of the system.
    #[allow(clippy::arc_with_non_send_sync)]
    let machine = Arc::new(Machine {
        generations: Generations::of(1),
        picture: Mutex::new(0),
        answered: AtomicU64::new(0),
    });
    let worker = machine.clone();
    let worker = thread::spawn(move || worker.work(0));
    machine.change(1);
    worker.join().unwrap();
}
