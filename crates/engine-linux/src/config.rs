//! What an engine on Linux is told at its start.

use std::path::PathBuf;

use ipnet::IpNet;

/// The longest node tag, in characters: with it a control socket's path stays under 108 bytes.
pub const MAX_TAG_CHARS: usize = 8;

/// Where run directories are.
pub const RUN_ROOT: &str = "/run/causeway";

/// The program that keeps one gateway instance (see [`shim::main`](crate::shim::main)).
#[derive(Debug, Clone)]
pub struct ShimCommand {
    pub exe: PathBuf,
    /// Arguments before the shim's own.
    pub args: Vec<String>,
}

/// Configuration of a [`LinuxEngine`](crate::LinuxEngine). Engines with different tags share a machine
/// without touching each other.
#[derive(Debug, Clone)]
pub struct LinuxConfig {
    /// 1 to [`MAX_TAG_CHARS`] characters of a-z and 0-9; starts the name of every namespace.
    pub node_tag: String,
    /// Holds records, control sockets and secrets; a tmpfs is mounted there unless it is on one.
    pub run_dir: PathBuf,
    /// The file that holds the tag, in the directory of the service that this engine belongs to: when it is gone,
    /// what the engine made is an orphan ([`orphans`](crate::orphans)).
    pub owner: Option<PathBuf>,
    pub shim: ShimCommand,
    /// What instances may have as public addresses. Empty: any address.
    pub public_pools: Vec<IpNet>,
    /// charon of strongSwan 5.9.8 or later that takes its configuration from `STRONGSWAN_CONF` and writes
    /// no pid file.
    pub charon: PathBuf,
}

impl LinuxConfig {
    /// The usual configuration for a tag.
    pub fn new(node_tag: impl Into<String>, shim: ShimCommand) -> Self {
        let node_tag = node_tag.into();
        Self {
            run_dir: PathBuf::from(RUN_ROOT).join(&node_tag),
            node_tag,
            owner: None,
            shim,
            public_pools: Vec::new(),
            charon: PathBuf::from("/usr/sbin/charon-systemd"),
        }
    }
}
