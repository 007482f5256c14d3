//! What the data plane should be, what it is, and the ordered steps between the two.
//!
//! Everything here is a value: no I/O, no clock, no randomness. An engine reports an [`Observed`],
//! a reconciler derives a [`Desired`] from the store, [`plan()`] answers with a [`Plan`] whose steps an
//! engine applies one by one. Any step may fail and the process may die between any two steps; the
//! next run starts from a new observation and converges.

mod check;
mod fingerprint;
mod keys;
mod object;
mod observed;
mod planner;

pub use check::{PlanFault, check};
pub use fingerprint::{Fingerprint, FingerprintKey};
pub use keys::{
    ConnectionKey, GatewayKey, InstanceKey, KeyError, MAX_KEY_CHARS, NetworkKey, ObjectKey, RouteKey, Scope,
    SubnetKey, TunnelKey,
};
pub use object::{Instance, MssClamp, Network, NextHop, Object, Route, Subnet, Tunnel};
pub use observed::{ChildState, IkeState, InstanceHealth, Observed, TunnelError, TunnelStatus, UnixMillis};
pub use planner::{Desired, Plan, Step, plan};
