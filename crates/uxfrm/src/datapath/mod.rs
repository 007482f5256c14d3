//! Packets: between TUN interfaces (one per `if_id`) and the outer sockets.

pub mod association;
pub mod counters;
