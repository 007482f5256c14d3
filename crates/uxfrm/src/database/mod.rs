//! The SA and policy databases, and the handler that answers the daemon's requests from them.
//!
//! Nothing here does I/O or reads a clock; the data path gets a [`View`] after each change. No change costs more in a large
//! database than in a small one.

mod announce;
mod classifier;
mod clock;
mod departed;
pub mod expiry;
pub mod handler;
mod handler_policy;
mod handler_state;
pub mod policies;
mod policy_expiry;
mod publish;
pub mod snapshot_map;
pub mod states;
mod succession;
pub mod view;

#[cfg(test)]
mod address_update_tests;
#[cfg(test)]
mod publish_tests;
#[cfg(test)]
mod succession_tests;
#[cfg(test)]
pub(crate) mod tests;

use crate::xfrm::event::Event;
use policies::Policies;
use states::States;
use succession::Succession;

/// Largest number of SAs and of policies.
pub const MAX_STATES: usize = 65_536;
pub const MAX_POLICIES: usize = 65_536;

/// Both databases of one network namespace.
#[derive(Default)]
pub struct Database {
    pub states: States,
    pub policies: Policies,
    /// Received packets are spread over workers by the remainder of their SPI.
    succession: Succession,
    acquire_sequence: u32,
    clock: clock::Followed,
    view: View,
    interfaces: publish::Interfaces,
    departed: departed::DepartedStates,
    thresholds: handler::Thresholds,
    /// Multicast groups that somebody listens to, as in `nl_groups`.
    listened: u32,
    /// Events of the requests under way.
    announced: Vec<Event>,
}

impl Database {
    /// Empty; received packets are spread over so many workers by SPI.
    pub fn for_workers(workers: u32) -> Self {
        Self { succession: Succession::of(workers), ..Self::default() }
    }
}

/// What a request led to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// One netlink message each, in order.
    pub messages: Vec<Vec<u8>>,
    /// What was changed, for those who listen to it; they hear it before the answer.
    pub events: Vec<Event>,
    /// The data path needs a new [`view::View`].
    pub changed: bool,
}

pub use clock::Clock;
pub use view::View;
