//! The kernel's XFRM netlink protocol (`linux/xfrm.h`): parsing of requests, writing of replies and events.
//! No state and no I/O; the databases are in [`crate::database`].

pub mod attributes;
pub mod constants;
pub mod event;
pub mod lifetime;
pub mod policy;
pub mod replay_state;
pub mod selector;
pub mod state;
pub mod wire;

pub use wire::Errno;
