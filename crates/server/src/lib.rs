//! Sockets, limits, authentication and the choice of the dialect. Knows no action.

mod body;
pub mod clock;
mod failures;
pub mod http;
pub mod keyring;
mod large_bodies;
pub mod limits;
mod patient;
mod places;
mod rate;
mod replay;
pub mod service;

pub use keyring::{AccessKey, Keyring};
pub use limits::ConnectionLimits;
pub use rate::RateLimits;
pub use service::Service;
