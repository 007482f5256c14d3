//! Tags that exist by themselves, whether or not a resource has them.

use serde::{Deserialize, Serialize};

use crate::{Meta, TagId};

/// A tag that can be put on resources. Resources keep their tags themselves ([`Meta::tags`]), also such as nobody made
/// beforehand.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Tag {
    /// Inner id.
    pub id: TagId,
    /// What every resource has.
    pub meta: Meta,
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
}
