//! Models of what workers do with each other: the very files of the data path, compiled with primitives (`sync`) whose every order
//! is tried by loom, and with a wire, an SA and buffers that are no more than the models need.
//!
//! `cargo test -p uxfrm --test models` runs all, with a name those whose name has it.

#[path = "."]
mod datapath {
    pub mod association;
    pub mod counters;
    #[path = "../../src/datapath/generation.rs"]
    #[allow(dead_code)]
    pub mod generation;
    #[path = "../../src/datapath/handover.rs"]
    #[allow(dead_code)]
    pub mod handover;
    pub mod isolation;
    pub mod sealed;
    #[path = "../../src/datapath/send_batch.rs"]
    #[allow(dead_code)]
    pub mod send_batch;
    pub mod shared;
    #[path = "../../src/datapath/spares.rs"]
    #[allow(dead_code)]
    pub mod spares;
    #[path = "../../src/datapath/turn.rs"]
    #[allow(dead_code)]
    pub mod turn;
}

#[path = "."]
mod esp {
    #[path = "../../src/esp/sequence.rs"]
    #[allow(dead_code)]
    pub mod sequence;
    pub use uxfrm::esp::EspError;
}

/// Names with their preemptions.
macro_rules! models {
    ($($run:ident: $preemptions:expr),* $(,)?) => {
        &[$($crate::Model { name: stringify!($run), preemptions: $preemptions, run: $run }),*]
    };
}

mod sending;
mod settling;
mod sync;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// A model, and how often a thread may be kept from going on where it could (`None`: as often as there are steps).
struct Model {
    name: &'static str,
    preemptions: Option<usize>,
    run: fn(),
}

impl Model {
    /// Tries every order.
    fn check(&self) {
        let (start, executions) = (Instant::now(), Arc::new(AtomicU64::new(0)));
        let mut builder = loom::model::Builder::new();
        builder.max_branches = 20_000;
        // Set by LOOM_MAX_PREEMPTIONS for all, where somebody has more time.
        builder.preemption_bound = builder.preemption_bound.or(self.preemptions);
        let bound = builder.preemption_bound.map_or("any".into(), |bound| bound.to_string());
        let (run, counted) = (self.run, executions.clone());
        builder.check(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            run();
        });
        println!(
            "{}: ok, {} executions, {bound} preemptions, {:.1} s",
            self.name,
            executions.load(Ordering::Relaxed),
            start.elapsed().as_secs_f32()
        );
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let all = sending::MODELS.iter().chain(settling::MODELS);
    // What nextest asks a test program that has no harness: the names of its tests, and of those it ignores.
    if arguments.iter().any(|argument| argument == "--list") {
        if !arguments.iter().any(|argument| argument == "--ignored") {
            all.for_each(|model| println!("{}: test", model.name));
        }
        return;
    }
    let wanted: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let is_exact = arguments.iter().any(|argument| argument == "--exact");
    let fits = |name: &str, wanted: &str| if is_exact { name == wanted } else { name.contains(wanted) };
    let is_wanted = |model: &&Model| wanted.is_empty() || wanted.iter().any(|name| fits(model.name, name));
    all.filter(is_wanted).for_each(Model::check);
}
