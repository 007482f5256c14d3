//! Operations and what each of them decides. Pure: time, ids and the snapshot are arguments.

mod addresses;
mod agree;
mod apart;
pub mod caller;
mod connections;
mod context;
mod customer_gateways;
pub mod decide;
pub mod error;
mod gateways;
pub mod known_tags;
mod networks;
pub mod operation;
mod orders;
pub mod outcome;
mod placement;
pub mod query;
pub mod quota;
mod read;
#[cfg(test)]
mod refusal_tests;
mod relabel;
mod resource_groups;
mod routes;
pub mod settings;
mod subnets;
mod tags;
#[cfg(test)]
mod testing;
mod token;

pub use apart::Conflict;
pub use caller::{Caller, ClientToken, Rules};
pub use decide::decide;
pub use error::OpError;
pub use known_tags::TagTrouble;
pub use operation::Operation;
pub use outcome::{Decision, Outcome};
pub use query::{Clause, ListQuery, Query};
pub use quota::Quota;
pub use settings::{AccountSettings, Closed, Lack, RegionSettings, Settings};
