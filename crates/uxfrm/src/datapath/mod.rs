//! Packets: between TUN interfaces (one per `if_id`) and the outer sockets.
//!
//! Each worker is a thread that reads its queue of every interface, seals and sends, and receives from its outer sockets,
//! opens and writes to the interfaces. Workers share a [`Shared`] and nothing else.

pub mod association;
pub mod busy_poll;
pub mod counters;
pub mod dont_fragment;
pub mod early;
pub mod gather;
pub mod generation;
pub mod handover;
pub mod heartbeat;
pub mod interface;
pub mod isolation;
pub mod local_addresses;
pub mod moderation;
pub mod notice;
pub mod opener;
pub mod path_mtu;
pub mod receive;
pub mod sealed;
pub mod send_batch;
pub mod shared;
pub mod spares;
pub mod spread;
pub mod transmit;
pub mod turn;
pub mod worker;

#[cfg(test)]
mod handover_tests;
#[cfg(test)]
mod spares_tests;
#[cfg(test)]
mod turn_tests;

pub use shared::Shared;

/// What one turn of a socket or an interface brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// Super-packets and coalesced datagrams count as one.
    pub packets: usize,
    /// It ended before everything was taken.
    pub more: bool,
}

/// Stack of a worker thread, in bytes; only touched pages count.
pub const WORKER_STACK_LEN: usize = 256 * 1024;
/// After this long without packets, in milliseconds, a worker gives its packet memory back.
pub const IDLE_RELEASE_MS: u64 = 2000;
/// Bytes that one socket or interface may move before another gets its turn: some tenths of a millisecond.
pub const TURN_LEN: usize = 512 * 1024;
