//! The packets inside the tunnel: reading IP, TCP and UDP headers, cutting super-packets into segments and joining
//! segments to super-packets. Pure: bytes in, bytes out.

pub mod checksum;
pub mod coalesce;
pub mod ecn;
pub mod icmp;
pub mod ip;
pub mod segment;
pub mod virtio;
