//! What an action is: a name, how its parameters become an operation, how an outcome becomes its answer.

use causeway_dialect::{EncodeContext, Failure};
use causeway_model::Millis;
use causeway_ops::{AccountSettings, Operation, Outcome, RegionSettings};
use serde_json::Value;

use crate::params::Fields;

/// What decoding an action looks at.
pub struct Input<'a> {
    /// The action's parameters; those the catalogue requires are there, and have the catalogue's types.
    pub fields: Fields<'a>,
    /// The region addressed.
    pub region: &'a RegionSettings,
    /// All regions.
    pub regions: &'a [RegionSettings],
    /// The account that asks.
    pub account: Option<&'a AccountSettings>,
    /// Now.
    pub now: Millis,
}

/// Turns the parameters into an operation.
pub type Decode = fn(&Input<'_>) -> Result<Operation, Failure>;

/// Turns an outcome into the answer's members, without the request id.
pub type Encode = fn(&Outcome, &EncodeContext<'_>) -> Value;

/// An action that is carried out.
pub struct Action {
    /// The product, in lower case.
    pub service: &'static str,
    /// Its name.
    pub name: &'static str,
    /// See [`Decode`].
    pub decode: Decode,
    /// See [`Encode`].
    pub encode: Encode,
}
