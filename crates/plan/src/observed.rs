//! What an engine saw.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::fingerprint::{Fingerprint, FingerprintKey};
use crate::keys::{InstanceKey, ObjectKey, RouteKey, Scope, TunnelKey};

/// Milliseconds since 1970-01-01 UTC.
pub type UnixMillis = u64;

/// Whether an instance's data plane works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InstanceHealth {
    /// Its daemons have been started and do not answer yet.
    Starting,
    /// It can carry tunnels.
    Active,
    /// It cannot, for the reason given.
    Failed(String),
}

/// State of a tunnel's IKE_SA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IkeState {
    #[default]
    Down,
    Connecting,
    Established,
}

/// State of a tunnel's CHILD_SAs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChildState {
    /// None is installed.
    #[default]
    Down,
    /// Some are: what the others protect does not pass.
    Partial { installed: u16, of: u16 },
    /// All are.
    Installed,
}

impl ChildState {
    /// With so many installed out of those that the tunnel has.
    pub fn of(installed: usize, all: usize) -> Self {
        let count = |number| u16::try_from(number).unwrap_or(u16::MAX);
        match installed {
            0 => Self::Down,
            some if some < all => Self::Partial { installed: count(some), of: count(all) },
            _ => Self::Installed,
        }
    }

    /// How much of the tunnel carries traffic: nothing, a part, everything.
    pub fn rank(self) -> u8 {
        match self {
            Self::Down => 0,
            Self::Partial { .. } => 1,
            Self::Installed => 2,
        }
    }
}

/// Why a tunnel is not up, as far as this side can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TunnelError {
    #[error("the peer does not answer")]
    PeerNotResponding,
    #[error("no proposal of the IKE_SA was acceptable")]
    IkeProposalMismatch,
    #[error("no proposal of the CHILD_SA was acceptable")]
    EspProposalMismatch,
    #[error("the identities or pre-shared keys do not match")]
    AuthenticationFailed,
    #[error("the traffic selectors do not match")]
    TrafficSelectorMismatch,
    #[error("the peer has no matching configuration")]
    NoMatchingConfig,
    #[error("the data plane refused the security association")]
    DataPlane,
    #[error("the peer closed the tunnel")]
    ClosedByPeer,
    #[error("the negotiation failed")]
    Other,
}

/// The observed state of a tunnel.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TunnelStatus {
    pub ike: IkeState,
    pub child: ChildState,
    /// When `ike` and `child` last changed together into what they are.
    pub since: UnixMillis,
    /// Traffic of the present CHILD_SAs together, as their counters show it.
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub packets_in: u64,
    pub packets_out: u64,
    /// Why the tunnel, or a part of it, is down, when this side knows; `None` while all of it is up.
    pub last_error: Option<TunnelError>,
}

/// What exists in a scope, and how it fares.
#[derive(Debug, Clone)]
pub struct Observed {
    pub scope: Scope,
    /// The key under which `objects` were fingerprinted.
    pub key: FingerprintKey,
    pub objects: BTreeMap<ObjectKey, Fingerprint>,
    pub instances: BTreeMap<InstanceKey, InstanceHealth>,
    pub tunnels: BTreeMap<TunnelKey, TunnelStatus>,
    /// The instance that each route leads to now.
    pub routes: BTreeMap<RouteKey, InstanceKey>,
}

impl Observed {
    /// A scope in which nothing exists.
    pub fn empty(scope: Scope, key: FingerprintKey) -> Self {
        Self {
            scope,
            key,
            objects: BTreeMap::new(),
            instances: BTreeMap::new(),
            tunnels: BTreeMap::new(),
            routes: BTreeMap::new(),
        }
    }
}
