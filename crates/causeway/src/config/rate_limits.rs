//! `rate_limits`.

use std::collections::BTreeMap;
use std::fmt;

use causeway_server::RateLimits;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// `rate_limits = false`, `rate_limits = true`, or `[rate_limits]` with calls in a second by action.
#[derive(Clone, Debug)]
pub enum RateLimitsConfig {
    /// All of them on or off.
    Switch(bool),
    /// On, with limits of the operator's own.
    Own(BTreeMap<String, u32>),
}

impl Default for RateLimitsConfig {
    fn default() -> Self {
        Self::Switch(true)
    }
}

impl RateLimitsConfig {
    /// What the server is told.
    pub fn rate_limits(&self) -> RateLimits {
        match self {
            Self::Switch(false) => RateLimits::Off,
            Self::Switch(true) => RateLimits::On(BTreeMap::new()),
            Self::Own(own) => RateLimits::On(own.clone()),
        }
    }

    /// The actions that have a limit of the operator's own.
    pub fn actions(&self) -> impl Iterator<Item = &str> {
        let own = match self {
            Self::Switch(_) => None,
            Self::Own(own) => Some(own.keys().map(String::as_str)),
        };
        own.into_iter().flatten()
    }
}

impl<'de> Deserialize<'de> for RateLimitsConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SwitchOrTable)
    }
}

struct SwitchOrTable;

impl<'de> Visitor<'de> for SwitchOrTable {
    type Value = RateLimitsConfig;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true, false, or a table with calls in a second by action")
    }

    fn visit_bool<E: Error>(self, on: bool) -> Result<Self::Value, E> {
        Ok(RateLimitsConfig::Switch(on))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut own = BTreeMap::new();
        while let Some((action, calls)) = map.next_entry::<String, u32>()? {
            if calls == 0 {
                return Err(A::Error::custom(format!("{action}: at least one call in a second")));
            }
            own.insert(action, calls);
        }
        Ok(RateLimitsConfig::Own(own))
    }
}
