//! What carries ESP: the kernel's XFRM with xfrm interfaces, or uxfrm in user space. charon's
//! configuration is the same on both.

mod kernel;
mod probe;
mod user;

use std::os::fd::OwnedFd;
use std::path::Path;
use std::{fmt, io};

use causeway_plan::Instance;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::process::{Child, Command};

use crate::error::LinuxError;

pub(crate) use kernel::KernelXfrm;
pub use probe::kernel_has_esp;
pub(crate) use probe::probe;
pub(crate) use user::UserXfrm;

/// Which data plane a node uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Kernel,
    Uxfrm,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kernel => "kernel",
            Self::Uxfrm => "uxfrm",
        })
    }
}

/// The choice of a node, with its reason for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    pub kind: Kind,
    pub reason: String,
}

/// A data plane inside the namespace of one instance. It lives in the instance's keeper.
pub(crate) trait DataPlane: Send + Sync {
    /// For people.
    fn name(&self) -> &'static str;

    /// Whether only UDP-encapsulated ESP is carried.
    fn force_encap(&self) -> bool;

    /// A descriptor that becomes readable when the data plane ends by itself: charon has no IPsec any more then. `None`
    /// where it can't end.
    fn ended(&self) -> io::Result<Option<OwnedFd>>;

    /// Takes all SAs and policies away.
    fn flush(&self) -> BoxFuture<'_, Result<(), LinuxError>>;

    /// Starts charon so that its SAs reach this data plane.
    fn spawn(&mut self, charon: Command) -> io::Result<Child>;

    /// Makes the tunnel interface of an interface id, so that routes can lead to it before any SA is
    /// there.
    fn ensure_interface<'a>(
        &'a mut self,
        if_id: u32,
        name: &'a str,
        mtu: u16,
    ) -> BoxFuture<'a, Result<(), LinuxError>>;

    /// Takes it away. With the last tunnel whatever SAs are left belong to a charon that is gone.
    fn remove_interface<'a>(
        &'a mut self,
        if_id: u32,
        name: &'a str,
        is_last: bool,
    ) -> BoxFuture<'a, Result<(), LinuxError>>;
}

/// Starts the data plane of one instance, in the namespace of the calling thread. `vici` is the socket that
/// charon will have.
pub(crate) fn start(
    kind: Kind,
    instance_dir: &Path,
    instance: &Instance,
    vici: &Path,
) -> Result<Box<dyn DataPlane>, LinuxError> {
    match kind {
        Kind::Kernel => Ok(Box::new(KernelXfrm::new()?)),
        Kind::Uxfrm => Ok(Box::new(UserXfrm::start(instance_dir, instance, vici)?)),
    }
}
