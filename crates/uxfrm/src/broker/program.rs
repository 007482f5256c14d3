//! Which file engines are started from: this program's own, or what has taken its place, so that an engine can be replaced by
//! a newer one while the broker and the IKE daemon go on.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// This program's own file, whatever became of its name.
const OWN: &str = "/proc/self/exe";

/// Device and inode.
type FileId = (u64, u64);

fn id(path: &Path) -> Option<FileId> {
    let metadata = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    Some((metadata.dev(), metadata.ino()))
}

/// Chooses the file.
pub struct Program {
    path: Option<PathBuf>,
    /// One that did not become an engine: another version of the link, or no such program at all.
    distrusted: Option<FileId>,
    started: Option<FileId>,
}

impl Program {
    /// Remembers where this program is; to be called while it is still there.
    pub fn new() -> Self {
        Self { path: std::fs::read_link(OWN).ok(), distrusted: None, started: None }
    }

    /// The file to start the next engine from.
    pub fn choose(&mut self) -> PathBuf {
        let there = self.path.as_deref().and_then(id).filter(|there| Some(*there) != id(Path::new(OWN)));
        self.started = there.filter(|there| self.distrusted != Some(*there));
        match (&self.path, self.started) {
            (Some(path), Some(_)) => path.clone(),
            _ => OWN.into(),
        }
    }

    /// The engine that was started last did not become ready: if it was of another file, that is not tried again.
    pub fn failed(&mut self) {
        if let Some(started) = self.started.take() {
            tracing::error!(path = ?self.path, "the program's new file is no engine for this broker: the old one goes on");
            self.distrusted = Some(started);
        }
    }
}

impl Default for Program {
    fn default() -> Self {
        Self::new()
    }
}
