//! Device configuration text for the far end of a connection. Pure: facts in, text out.

pub mod facts;
pub mod proposal;
pub mod swanctl;

pub use facts::{PeerBgp, PeerConfig, PeerTunnel, Unknown};
