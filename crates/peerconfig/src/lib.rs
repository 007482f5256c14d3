//! Device configuration text for the far end of a connection. Pure: facts in, text out.

pub mod cisco;
pub mod device;
#[cfg(test)]
mod device_fixtures;
pub mod facts;
pub mod h3c;
pub mod swanctl;

pub use facts::{PeerBgp, PeerConfig, PeerTunnel, Unknown};
