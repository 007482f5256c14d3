//! What the fuzz targets share: requests as clients send them, and a service without sockets.
//!
//! A target fails by a panic: in a parser of outside input, or in a decision, where it would stop the store's writer.

pub mod natural;
pub mod packet;
pub mod request;
pub mod words;
pub mod world;

pub use request::{Signed, Text, Wire};
pub use world::World;
