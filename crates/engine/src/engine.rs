//! The trait of engines.

use causeway_plan::{Observed, Scope, Step};
use futures_util::future::BoxFuture;
use tokio::sync::broadcast;

use crate::error::EngineError;

/// How many wake-ups an engine keeps for a receiver that does not read. A receiver that lagged behind
/// has to look at every scope.
pub const WAKE_UP_QUEUE: usize = 4_096;

/// What an engine says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineInfo {
    /// `memory` or `linux`.
    pub name: &'static str,
    /// What carries the packets, and why that was chosen; for people.
    pub data_plane: String,
}

/// Makes, changes, removes and observes the objects of the data plane.
///
/// The rules that every engine keeps ([`contract`](crate::contract) tests them):
/// - `apply` is idempotent. `Create` of what exists and `Update` of what does not both end in the object
///   as given; `Delete` of what does not exist succeeds.
/// - An `Update` keeps what hangs on the object: a new bandwidth or address of an instance removes none
///   of its tunnels, and a change of one tunnel does not disturb another one.
/// - `observe` tells what is there, never what was asked for. After a step succeeded, `observe` shows its
///   object with the fingerprint of what was applied, or no longer shows it. What a broken-off step left is
///   shown with [`Fingerprint::UNKNOWN`](causeway_plan::Fingerprint::UNKNOWN), so that it is repaired or
///   removed like everything else.
/// - Steps of different scopes may run at once; steps of one scope are the caller's to put in order.
/// - Any step may be broken off (error, dropped future, dead process); doing it again repairs.
pub trait Engine: Send + Sync + 'static {
    /// What this engine is.
    fn info(&self) -> EngineInfo;

    /// What exists in a scope and how it fares. A scope that does not exist is empty, not an error.
    ///
    /// # Errors
    /// [`EngineError::Failed`] when the node cannot be observed.
    fn observe<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Observed, EngineError>>;

    /// Applies one step.
    ///
    /// # Errors
    /// Any [`EngineError`].
    fn apply<'a>(&'a self, step: &'a Step) -> BoxFuture<'a, Result<(), EngineError>>;

    /// Wake-ups: the scope's state may have changed. They carry no data and may be lost, repeated or
    /// late; a receiver observes.
    fn watch(&self) -> broadcast::Receiver<Scope>;

    /// Every scope of which anything exists, for the search for orphans.
    ///
    /// # Errors
    /// [`EngineError::Failed`] when the node cannot be observed.
    fn list_scopes(&self) -> BoxFuture<'_, Result<Vec<Scope>, EngineError>>;

    /// Removes everything in a scope, whatever state it is in.
    ///
    /// # Errors
    /// [`EngineError::InUse`] for a network that a gateway is still in, or [`EngineError::Failed`].
    fn remove_scope<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<(), EngineError>>;

    /// The last lines that the IKE daemons of a gateway's instances logged, for people. An engine without daemons has
    /// none.
    ///
    /// # Errors
    /// [`EngineError::Failed`] when an instance's keeper does not answer.
    fn log<'a>(&'a self, _scope: &'a Scope) -> BoxFuture<'a, Result<Vec<String>, EngineError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    /// Removes everything that this engine ever made on the node.
    ///
    /// # Errors
    /// [`EngineError::Failed`] when something stayed.
    fn cleanup_all(&self) -> BoxFuture<'_, Result<(), EngineError>>;
}
