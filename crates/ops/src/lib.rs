//! Operations and what each of them decides. Pure: time, ids and the snapshot are arguments.

pub mod caller;
pub mod error;
pub mod operation;
pub mod outcome;
pub mod query;
pub mod quota;
pub mod settings;

pub use caller::{Caller, ClientToken, Rules};
pub use error::OpError;
pub use operation::Operation;
pub use outcome::{Decision, Outcome};
pub use query::{Clause, ListQuery, Query};
pub use quota::Quota;
pub use settings::{AccountSettings, RegionSettings, Settings};
