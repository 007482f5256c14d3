//! `causeway ctl gc`: what nobody will come back for.

use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context, bail};
use causeway_engine_linux::RUN_ROOT;
use causeway_engine_linux::orphans::{self, NodeState};
use serde_json::{Value, json};

use super::ask;
use crate::control::{Ask, socket_file};

/// Removes the orphans of this machine: of the running service what its store does not know, and the nodes of
/// services whose data directory is gone. With `node` that node, whosever it was.
///
/// # Errors
/// When there is neither a service nor root, or something stays.
pub fn run(data_dir: &Path, node: Option<&str>) -> anyhow::Result<Value> {
    let is_root = rustix::process::geteuid().is_root();
    if let Some(tag) = node {
        if !is_root {
            bail!("removing node {tag} needs root");
        }
        return Ok(json!({"nodes": [remove(tag)?]}));
    }
    // A socket file may be left of a service that was killed.
    let runs = UnixStream::connect(socket_file(data_dir)).is_ok();
    let service = runs.then(|| ask(data_dir, &Ask::Gc));
    if service.is_none() && !is_root {
        bail!("no service runs with {}, and removing nodes of others needs root", data_dir.display());
    }
    let mut answer = match service {
        Some(answer) => answer?,
        None => json!({"service": format!("none runs with {}", data_dir.display())}),
    };
    if is_root {
        let (mut removed, mut unknown) = (Vec::new(), Vec::new());
        for node in orphans::nodes(Path::new(RUN_ROOT))? {
            match node.state {
                NodeState::Orphan(_) => removed.push(remove(&node.tag)?),
                NodeState::Unknown => unknown.push(node.tag),
                NodeState::Running | NodeState::Owned(_) => {}
            }
        }
        answer["nodes"] = json!(removed);
        if !unknown.is_empty() {
            let hint = "nobody wrote down whose these are; remove one with: causeway ctl gc --node TAG";
            answer["unknown_nodes"] = json!({"tags": unknown, "hint": hint});
        }
    }
    Ok(answer)
}

fn remove(tag: &str) -> anyhow::Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let removed = runtime.block_on(orphans::remove_node(Path::new(RUN_ROOT), tag));
    removed.with_context(|| format!("removing node {tag}"))?;
    Ok(tag.to_owned())
}
