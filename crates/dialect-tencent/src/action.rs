//! What an action is.

use causeway_dialect::{DecodeContext, EncodeContext, Envelope};
use causeway_model::{DialectId, Key, Record, Region, Zone};
use causeway_ops::{Lack, Operation, Outcome, RegionSettings, Settings};
use serde::Serialize;

use crate::params::Members;
use crate::refusal::Refusal;

/// The members of an answer; the request's id is added to them.
pub type Answer = causeway_dialect::json::Members;

/// What decoding looks at.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The request's outside, with the parameters.
    pub envelope: &'a Envelope,
    /// Settings, account, time.
    pub context: DecodeContext<'a>,
    /// The region asked for.
    pub region: &'a Region,
}

impl<'a> Input<'a> {
    /// The parameters.
    pub fn members(&self) -> Members<'a> {
        Members::new(&self.envelope.params)
    }

    /// The zones of the region asked for.
    pub fn zones(&self) -> &'a [Zone] {
        self.region_settings().map_or(&[], |region| region.zones.as_slice())
    }

    /// The region asked for, as it is set.
    pub fn region_settings(&self) -> Option<&'a RegionSettings> {
        let settings: &'a Settings = self.context.settings;
        settings.region(&DialectId::from(crate::ID), self.region)
    }

    /// Whether the gateways of the region asked for lack something.
    pub fn lacks(&self, what: Lack) -> bool {
        self.region_settings().is_some_and(|region| region.lacks.contains(&what))
    }

    /// A zone of the region that a parameter names.
    ///
    /// # Errors
    /// `InvalidParameterValue` when the region has no such zone.
    pub fn zone(&self, name: &str) -> Result<Option<Zone>, Refusal> {
        let members = self.members();
        let Some(text) = members.text(name) else { return Ok(None) };
        match self.zones().iter().find(|zone| zone.as_str() == text) {
            Some(zone) => Ok(Some(zone.clone())),
            None => Err(Refusal::value(name, text)),
        }
    }
}

/// One action that is carried out.
#[derive(Clone, Copy, Debug)]
pub struct Action {
    /// Its service.
    pub service: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Turns the parameters, which fit the catalogue, into an operation.
    pub decode: fn(&Input<'_>) -> Result<Operation, Refusal>,
    /// Writes the answer. A refusal is possible where the answer is made of what was read.
    pub encode: fn(&Outcome, &EncodeContext<'_>) -> Result<Answer, Refusal>,
}

/// The answer of actions that only say they were done.
///
/// # Errors
/// None.
pub fn done(_: &Outcome, _: &EncodeContext<'_>) -> Result<Answer, Refusal> {
    Ok(Answer::new())
}

/// An answer with one member.
pub fn one(name: &str, value: impl Serialize) -> Answer {
    Answer::new().with(name, value)
}

/// An answer with a page: `TotalCount`, and the list under a name. The list is never null.
pub fn page<T: Serialize>(name: &str, total: usize, items: Vec<T>) -> Answer {
    Answer::new().with("TotalCount", total).with(name, items)
}

/// The answer to something that should have been found: the service failed.
pub fn lost() -> Refusal {
    Refusal::new(
        "InternalError",
        "An internal error occurred. Please try again later.",
        "内部服务错误，请稍后重试",
    )
}

/// The first of what was made.
pub fn created(outcome: &Outcome) -> Option<Key> {
    match outcome {
        Outcome::Created(keys) => keys.first().copied(),
        _ => None,
    }
}

/// The records of a page, each written by `shape` (which skips those that are of another kind), and how many
/// there are in all.
pub fn shaped<'a, T>(outcome: &'a Outcome, shape: impl Fn(&'a Record) -> Option<T>) -> (usize, Vec<T>) {
    match outcome {
        Outcome::Page { items, total } => (*total, items.iter().filter_map(shape).collect()),
        _ => (0, Vec::new()),
    }
}
