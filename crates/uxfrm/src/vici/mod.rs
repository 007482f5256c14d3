//! strongSwan's VICI protocol (README.md of libcharon's vici plugin, version 5.9.8): packets and messages, for clients
//! that wait in a thread ([`broker::vici`](crate::broker::vici)) or in a task.

mod message;
mod packet;

pub use message::{Encoder, Malformed, Section};
pub use packet::{LENGTH_BYTES, PACKET_BYTES_MAX, PacketKind, packet, packet_len, split_event, split_packet};
