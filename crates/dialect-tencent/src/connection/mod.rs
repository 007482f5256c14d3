//! The parameters of a connection, in groups.

pub mod health;
pub mod ike;
pub mod ipsec;
pub mod selection;
