//! What the engine says to the keeper of an instance: one JSON request per line over a unix socket, one
//! JSON answer per line. Secrets do not pass here; both sides read them from the tunnels' records.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use causeway_plan::{Fingerprint, InstanceHealth, TunnelStatus};
use serde::{Deserialize, Serialize};

/// The longest line of the protocol, in bytes: the status of a thousand tunnels is half of it.
pub const MAX_LINE_BYTES: usize = 1024 * 1024;

/// The version of the protocol and of the records. It is raised when one side can't understand what the other one of
/// before says; until then a keeper outlives an upgrade.
pub const PROTOCOL: u32 = 2;
/// The oldest version that this program understands. Keepers from before there were versions say 0, and mend nothing;
/// those of version 1 know of no tunnel that waits for traffic.
pub const OLDEST_PROTOCOL: u32 = 2;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Read the instance's record again.
    Reload,
    /// Read a tunnel's record and make the tunnel so. Answered when charon has it.
    Load { connection: String },
    /// Take a tunnel away.
    Unload { connection: String },
    /// Say how everything is.
    Status,
    /// Answer once, then send an empty line whenever the status may have changed.
    Watch,
    /// The last lines of charon's log.
    Log,
    /// End: close all tunnels, tell their peers, and exit.
    Stop,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Done,
    Status(Status),
    Log(Vec<String>),
    Refused(Refusal),
}

/// Why the keeper did not do it, as text with its causes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{reason}")]
pub struct Refusal {
    pub reason: String,
}

impl Refusal {
    pub fn from_error(error: &dyn std::error::Error) -> Self {
        let mut reason = error.to_string();
        let mut next = error.source();
        while let Some(cause) = next {
            reason = format!("{reason}: {cause}");
            next = cause.source();
        }
        Self { reason }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    /// [`PROTOCOL`] of the keeper.
    #[serde(default)]
    pub protocol: u32,
    pub health: InstanceHealth,
    /// What of the instance is not as it was made.
    #[serde(default)]
    pub damage: Option<String>,
    /// What carries the packets.
    pub data_plane: String,
    pub charon_pid: Option<u32>,
    /// The tunnels that charon has, by connection.
    pub tunnels: BTreeMap<String, Loaded>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Loaded {
    /// Of the record that was loaded.
    pub fingerprint: Fingerprint,
    pub status: TunnelStatus,
}

/// The keeper's socket in an instance's directory.
pub fn socket(instance_dir: &Path) -> PathBuf {
    instance_dir.join("keeper.sock")
}
