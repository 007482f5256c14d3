//! What an engine is: something that can make, change, remove and observe the objects of the data
//! plane. The [memory engine](MemoryEngine) does it without packets; the Linux engine is a crate of its
//! own. Both run the same [contract suite](contract).

pub mod contract;
mod engine;
mod error;
mod memory;

pub use engine::{Engine, EngineInfo, WAKE_UP_QUEUE};
pub use error::EngineError;
pub use memory::MemoryEngine;
