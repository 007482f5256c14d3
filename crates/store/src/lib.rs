//! The store: snapshots that never wait, transactions that are durable before they are acknowledged, a watch.

pub mod contract;
mod health;
pub mod memory;
pub mod nonces;
pub mod sqlite;
pub mod store;
pub mod vault;
mod writer;

pub use memory::MemoryStore;
pub use nonces::SpentNonce;
pub use sqlite::SqliteStore;
pub use store::{Decider, Store, StoreError, transact, transact_spending};
pub use vault::Vault;
