//! The store: snapshots that never wait, transactions that are durable before they are acknowledged, a watch.

pub mod contract;
pub mod memory;
pub mod sqlite;
pub mod store;
pub mod vault;
mod writer;

pub use memory::MemoryStore;
pub use sqlite::SqliteStore;
pub use store::{Decider, Store, StoreError, transact};
pub use vault::Vault;
