//! This machine as a node: its tag, and where the Linux engine keeps what it runs.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use causeway_engine_linux::{LinuxConfig, RUN_ROOT, ShimCommand};
use causeway_server::clock::random_u64;
use ipnet::IpNet;

/// What root is for.
const NEED_ROOT: &str = "root, for network namespaces and tunnel interfaces";
/// Characters of a tag: with more, the paths of sockets grow too long.
const TAG_CHARS: usize = 6;

/// The tag of the service with this data directory: it starts the name of every namespace, so that several
/// services live on one machine without touching each other. Made once and kept beside the store.
///
/// # Errors
/// When the file can't be read or written.
pub fn tag(data_dir: &Path) -> anyhow::Result<String> {
    let file = tag_file(data_dir);
    match std::fs::read_to_string(&file) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
            let tag: String =
                (0..TAG_CHARS).map(|_| ALPHABET[(random_u64() % 36) as usize] as char).collect();
            let beside = file.with_extension("new");
            std::fs::write(&beside, &tag)
                .and_then(|()| std::fs::rename(&beside, &file))
                .with_context(|| format!("writing {}", file.display()))?;
            Ok(tag)
        }
        Err(error) => Err(error).with_context(|| format!("reading {}", file.display())),
    }
}

/// The file that holds the tag.
fn tag_file(data_dir: &Path) -> PathBuf {
    data_dir.join("node-tag")
}

/// The Linux engine's configuration for a data directory.
///
/// # Errors
/// When the tag can't be kept, or this program can't be found again.
pub fn linux_config(data_dir: &Path, public_pools: Vec<IpNet>) -> anyhow::Result<LinuxConfig> {
    let exe = std::env::current_exe().context("finding this program")?;
    let shim = ShimCommand { exe, args: vec!["shim".to_owned()] };
    let mut config = LinuxConfig::new(tag(data_dir)?, shim);
    config.public_pools = public_pools;
    let owner = tag_file(data_dir);
    config.owner = Some(owner.canonicalize().with_context(|| format!("finding {}", owner.display()))?);
    Ok(config)
}

/// Tag and run directory of a service that ran with a data directory.
///
/// # Errors
/// When none did.
pub fn existing(data_dir: &Path) -> anyhow::Result<(String, PathBuf)> {
    if !tag_file(data_dir).exists() {
        bail!("{} was never used with --engine linux", data_dir.display());
    }
    let tag = tag(data_dir)?;
    let run_dir = PathBuf::from(RUN_ROOT).join(&tag);
    Ok((tag, run_dir))
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Refuses who is not root before anything is made.
///
/// # Errors
/// With what to do.
pub fn require_root() -> anyhow::Result<()> {
    if !is_root() {
        bail!(
            "--engine linux needs {NEED_ROOT}: start it as root, or with --engine memory for the API alone"
        );
    }
    Ok(())
}

/// Why real gateways can't run here; `None` when they can.
pub fn why_no_gateways() -> Option<String> {
    if !is_root() {
        return Some(format!("they need {NEED_ROOT}"));
    }
    if !Path::new("/dev/net/tun").exists() {
        return Some(
            "/dev/net/tun is missing: load the tun module, or give the container this device".to_owned(),
        );
    }
    let charon = LinuxConfig::new("x", ShimCommand { exe: PathBuf::new(), args: Vec::new() }).charon;
    (!charon.exists())
        .then(|| format!("{} is missing: install strongSwan (charon-systemd)", charon.display()))
}
