//! `[limits]`: how many connections the service takes.

use std::num::NonZeroUsize;

use causeway_server::ConnectionLimits;
use serde::Deserialize;

/// The table.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Of all listeners together, at the same time at most.
    connections: Option<NonZeroUsize>,
    /// Of these, those of one address.
    connections_per_address: Option<NonZeroUsize>,
}

impl LimitsConfig {
    /// What the server is told.
    pub fn limits(self) -> ConnectionLimits {
        let default = ConnectionLimits::default();
        ConnectionLimits {
            connections: self.connections.map_or(default.connections, NonZeroUsize::get),
            of_one: self.connections_per_address.map_or(default.of_one, NonZeroUsize::get),
            ..default
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_set_stays_at_its_default() {
        let read = |text: &str| toml::from_str::<LimitsConfig>(text).map(LimitsConfig::limits);
        let default = ConnectionLimits::default();
        assert_eq!(read("").unwrap(), default);
        let own = ConnectionLimits { of_one: 4_000, ..default };
        assert_eq!(read("connections_per_address = 4000").unwrap(), own);
        for wrong in ["connections = 0", "connections = -1", "connection = 5"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
