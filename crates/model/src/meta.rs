//! What every resource has besides its own specification.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{AccountId, DialectId, ExternalId, Region};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub i64);

impl Millis {
    /// Whole seconds since the epoch.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }
}

/// A dialect's own facts about a resource (billing words, renew flags, echo values), as JSON text that only
/// that dialect reads and writes.
pub type Facet = String;

/// What every resource has.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Meta {
    /// Order of creation within the store: later resources have larger numbers.
    pub seq: u64,
    /// Who owns it.
    pub owner: AccountId,
    /// The API it was made through.
    pub dialect: DialectId,
    /// Its id in that API.
    pub external: ExternalId,
    /// Where it lives.
    pub region: Region,
    /// The name its owner gave it; empty when none.
    pub name: String,
    /// The description its owner gave it; empty when none.
    pub description: String,
    /// The id of its resource group; empty in APIs that have none.
    pub resource_group: String,
    /// When it was made.
    pub created: Millis,
    /// Tags: key to value.
    pub tags: BTreeMap<String, String>,
    /// Raised by each change of the specification.
    pub generation: u64,
    /// Set when its owner asked for its deletion and the data plane has not yet let it go.
    pub deleting: bool,
    /// The dialect's own facts.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub facet: Facet,
}
