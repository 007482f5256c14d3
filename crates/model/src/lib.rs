//! The nouns of Causeway: parsed types, their lifecycles and limits. No I/O, no clock, no randomness.

pub mod secret;

pub use secret::Secret;
