//! What services left behind that will never come back for it: the namespaces, processes and files of a node whose tag
//! nobody has any more.
//!
//! An engine writes beside its run directory which file holds its tag (`LinuxConfig::owner`). Once that file is gone,
//! or holds another tag, no engine will adopt what is there.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::config::MAX_TAG_CHARS;
use crate::error::LinuxError;
use crate::names::Names;
use crate::netns::{self, Namespace};
use crate::supervisor::Keeper;
use crate::{records, tmpfs};

/// What of a node there is, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub tag: String,
    pub state: NodeState,
}

/// Whether anybody will come back for a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeState {
    /// An engine runs it.
    Running,
    /// The file that holds its tag is there: its service can be started again.
    Owned(PathBuf),
    /// The file that held its tag is gone, or holds another one.
    Orphan(PathBuf),
    /// Nobody wrote down whose it is.
    Unknown,
}

/// The file that says whose a run directory is.
pub(crate) fn owner_file(run_dir: &Path) -> PathBuf {
    run_dir.with_extension("owner")
}

/// Writes down whose a run directory is.
pub(crate) fn write_owner(run_dir: &Path, owner: &Path) -> Result<(), LinuxError> {
    records::write_private(&owner_file(run_dir), owner.as_os_str().as_encoded_bytes())
}

/// Every node of this machine, by what is below the directory of run directories and by its namespaces.
///
/// # Errors
/// [`LinuxError`] when the directory or the namespaces cannot be listed.
pub fn nodes(run_root: &Path) -> Result<Vec<Node>, LinuxError> {
    let mut tags: BTreeSet<String> = netns::list()?.iter().filter_map(|name| Names::tag_of(name)).collect();
    match std::fs::read_dir(run_root) {
        Ok(entries) => tags.extend(entries.flatten().filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            Some(name.split('.').next()?.to_owned())
        })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(source) => return Err(LinuxError::File { path: run_root.into(), source }),
    }
    tags.retain(|tag| is_tag(tag));
    Ok(tags.into_iter().map(|tag| Node { state: state(&run_root.join(&tag), &tag), tag }).collect())
}

/// Whether a text can be a node's tag.
pub(crate) fn is_tag(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    (1..=MAX_TAG_CHARS).contains(&text.len()) && text.bytes().all(plain)
}

fn state(run_dir: &Path, tag: &str) -> NodeState {
    if is_locked(run_dir) {
        return NodeState::Running;
    }
    let Ok(owner) = std::fs::read_to_string(owner_file(run_dir)) else { return NodeState::Unknown };
    let owner = PathBuf::from(owner);
    match std::fs::read_to_string(&owner) {
        Ok(text) if text.trim() == tag => NodeState::Owned(owner),
        Ok(_) => NodeState::Orphan(owner),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            NodeState::Orphan(owner)
        }
        // A file system that can't be read just now is no reason to take gateways down.
        Err(_) => NodeState::Owned(owner),
    }
}

fn is_locked(run_dir: &Path) -> bool {
    File::open(lock_file(run_dir)).is_ok_and(|file| file.try_lock().is_err())
}

pub(crate) fn lock_file(run_dir: &Path) -> PathBuf {
    run_dir.with_extension("lock")
}

/// Ends every process of a node and removes its namespaces and its run directory. To be asked for a node that no
/// engine runs.
///
/// # Errors
/// [`LinuxError`] when an engine runs it, or something stayed.
pub async fn remove_node(run_root: &Path, tag: &str) -> Result<(), LinuxError> {
    if !is_tag(tag) {
        return Err(LinuxError::Tag(tag.to_owned()));
    }
    let run_dir = run_root.join(tag);
    let _lock = take_lock(&run_dir)?;
    for socket in records::keeper_sockets(&run_dir)? {
        // One that is gone already is what was wanted.
        let _ = Keeper::of(tag, socket).kill().await;
    }
    let names = Names::new(tag);
    for name in netns::list()? {
        if names.role(&name).is_some() {
            let namespace = Namespace::named(name);
            netns::end_processes(&namespace).await?;
            namespace.remove().await?;
        }
    }
    tmpfs::remove(&run_dir)?;
    records::remove_file(&owner_file(&run_dir))?;
    records::remove_file(&lock_file(&run_dir))
}

/// Takes the lock of a run directory, which one engine has at a time.
pub(crate) fn take_lock(run_dir: &Path) -> Result<(File, PathBuf), LinuxError> {
    let path = lock_file(run_dir);
    if let Some(parent) = path.parent() {
        records::make_private_dir(parent)?;
    }
    let file = File::create(&path).map_err(|source| LinuxError::File { path: path.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok((file, path)),
        Err(std::fs::TryLockError::WouldBlock) => Err(LinuxError::InUse(run_dir.to_owned())),
        Err(std::fs::TryLockError::Error(source)) => Err(LinuxError::File { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(root: &Path) -> Vec<NodeState> {
        let nodes = nodes(root).unwrap().into_iter().filter(|node| node.tag.starts_with("zz"));
        nodes.map(|node| node.state).collect()
    }

    #[test]
    fn a_node_is_an_orphan_when_the_file_with_its_tag_is_gone_or_has_another() {
        let dir = tempfile::tempdir().unwrap();
        let (root, owner) = (dir.path().join("run"), dir.path().join("node-tag"));
        std::fs::create_dir_all(root.join("zzone")).unwrap();
        assert_eq!(seen(&root), [NodeState::Unknown]);
        std::fs::write(&owner, "zzone\n").unwrap();
        write_owner(&root.join("zzone"), &owner).unwrap();
        assert_eq!(seen(&root), [NodeState::Owned(owner.clone())]);
        std::fs::write(&owner, "zztwo").unwrap();
        assert_eq!(seen(&root), [NodeState::Orphan(owner.clone())]);
        std::fs::remove_file(&owner).unwrap();
        assert_eq!(seen(&root), [NodeState::Orphan(owner)]);
        let lock = take_lock(&root.join("zzone")).unwrap();
        assert_eq!(seen(&root), [NodeState::Running]);
        assert!(matches!(take_lock(&root.join("zzone")), Err(LinuxError::InUse(_))));
        drop(lock);
    }

    #[test]
    fn what_is_no_tag_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["Zz", "zz-fabric", "zztoolongone", ".."] {
            let _ = std::fs::create_dir(dir.path().join(name));
        }
        assert_eq!(seen(dir.path()), []);
    }
}
