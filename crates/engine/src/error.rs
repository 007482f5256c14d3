//! Why an engine could not do what it was asked.

use std::net::IpAddr;

use causeway_model::proposal::Unsupported;
use causeway_plan::ObjectKey;

/// The errors of an engine. Each says what a reconciler may do about it.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The object hangs on one that does not exist yet. Its own scope's reconciler makes that; try
    /// again later.
    #[error("{object} needs {parent}, which does not exist")]
    MissingParent { object: Box<ObjectKey>, parent: Box<ObjectKey> },
    /// Something of another scope still hangs on the object. Try again later.
    #[error("{object} is in use by {user}")]
    InUse { object: Box<ObjectKey>, user: String },
    /// Another object holds the address. Try again later; if it stays, the desired state is wrong.
    #[error("{object} wants the address {address}, which {holder} has")]
    AddressInUse { object: Box<ObjectKey>, address: IpAddr, holder: Box<ObjectKey> },
    /// The object cannot be made by this engine on this node; trying again does not help.
    #[error("{object}: {what} is not supported here")]
    Unsupported { object: Box<ObjectKey>, what: String },
    /// The object asks for algorithms that no data plane here has; trying again does not help.
    #[error("{object} has no proposal of IKE or ESP")]
    Proposal { object: Box<ObjectKey>, source: Unsupported },
    /// The operating system or a daemon refused. Try again later.
    #[error("{what} failed")]
    Failed { what: String, source: Box<dyn std::error::Error + Send + Sync> },
}
