//! Packets: between TUN interfaces (one per `if_id`) and the outer sockets.
//!
//! Each worker is a pair of threads: one reads the worker's queue of every interface, seals and sends; the other receives
//! from the worker's outer sockets, opens and writes to the interfaces. They share a [`Shared`] and nothing else.

pub mod association;
pub mod counters;
pub mod interface;
pub mod notice;
pub mod path_mtu;
pub mod receive;
pub mod send_batch;
pub mod shared;
pub mod transmit;

pub use shared::Shared;

/// Stack of a worker thread, in bytes; only touched pages count.
pub const WORKER_STACK_LEN: usize = 256 * 1024;
/// After this long without packets, in milliseconds, a worker gives its packet memory back.
pub const IDLE_RELEASE_MS: u64 = 2000;
