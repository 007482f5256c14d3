//! What the actions of the tag service share: resource descriptions, tags, and the caller's tagged resources.

pub mod description;
pub mod dictionary;
pub mod owned;
pub mod read;
