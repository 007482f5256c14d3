//! Makes the data plane follow the store, and the store's status follow the data plane.
//!
//! Level-triggered: a wake-up says which item to look at and nothing else. Each run reads the newest snapshot,
//! observes, plans, applies, observes again and writes the status.

mod controller;
mod desired;
mod first_look;
pub mod keys;
mod queue;
mod reconciler;
mod status;

pub use controller::{run, run_until};
pub use first_look::first_look;
pub use keys::Item;
pub use reconciler::Locks;
