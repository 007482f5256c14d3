//! Records: what an engine was asked for, on a tmpfs, so that a restarted engine and the keepers of
//! instances find it. A tunnel's record holds its pre-shared key, so files are readable by root only.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use causeway_plan::{Fingerprint, InstanceKey, Object, ObjectKey, Scope};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::LinuxError;

/// An object as applied, with the fingerprint that the engine reports for it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    pub object: Object,
    pub fingerprint: Fingerprint,
}

/// Records below a directory.
#[derive(Debug, Clone)]
pub(crate) struct Records {
    root: PathBuf,
}

impl Records {
    pub(crate) fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The directory of an instance: its record, its tunnels' records and its keeper's sockets.
    pub(crate) fn instance_dir(&self, key: &InstanceKey) -> PathBuf {
        self.root.join("gateways").join(key.gateway.as_str()).join(key.index.to_string())
    }

    fn scope_dir(&self, scope: &Scope) -> PathBuf {
        match scope {
            Scope::Network(key) => self.root.join("networks").join(key.as_str()),
            Scope::Gateway(key) => self.root.join("gateways").join(key.as_str()),
        }
    }

    fn path(&self, key: &ObjectKey) -> PathBuf {
        match key {
            ObjectKey::Network(_) => self.scope_dir(&key.scope()).join("network.json"),
            ObjectKey::Subnet(_, subnet) => {
                self.scope_dir(&key.scope()).join(format!("subnet-{subnet}.json"))
            }
            ObjectKey::Instance(instance) => instance_path(&self.instance_dir(instance)),
            ObjectKey::Tunnel(tunnel) => {
                tunnel_path(&self.instance_dir(&tunnel.instance), tunnel.connection.as_str())
            }
            ObjectKey::Route(route) => {
                let destination = route.destination.to_string().replace(['/', ':'], "_");
                self.scope_dir(&key.scope()).join(format!("route-{}-{destination}.json", route.network))
            }
        }
    }

    pub(crate) fn put(&self, record: &Record) -> Result<(), LinuxError> {
        let path = self.path(&record.object.key());
        make_private_dir(path.parent().unwrap_or(&self.root))?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(8 * 1024));
        serde_json::to_writer(&mut *bytes, record)
            .map_err(|source| LinuxError::Record { path: path.clone(), source })?;
        write_private(&path, &bytes)
    }

    pub(crate) fn remove(&self, key: &ObjectKey) -> Result<(), LinuxError> {
        let path = self.path(key);
        remove_file(&path)?;
        if let ObjectKey::Instance(instance) = key {
            remove_dir(&self.instance_dir(instance))?;
        }
        // An empty scope leaves no directory. One that is not empty stays, which is no error.
        let _ = fs::remove_dir(self.scope_dir(&key.scope()));
        Ok(())
    }

    pub(crate) fn remove_scope(&self, scope: &Scope) -> Result<(), LinuxError> {
        remove_dir(&self.scope_dir(scope))
    }

    /// Every record, by scope. One that can't be read, because another version of the program wrote it, is told and
    /// removed: what it was for is seen without a record then, and made again.
    pub(crate) fn all(&self) -> Result<BTreeMap<Scope, BTreeMap<ObjectKey, Record>>, LinuxError> {
        let mut all: BTreeMap<Scope, BTreeMap<ObjectKey, Record>> = BTreeMap::new();
        for kind in ["networks", "gateways"] {
            for path in files_below(&self.root.join(kind))? {
                if path.extension().is_some_and(|e| e == "json") {
                    let record = match read(&path) {
                        Err(LinuxError::Record { path, source }) => {
                            let file = path.display();
                            tracing::warn!(%file, error = %source, "another version's record: its object is made anew");
                            remove_file(&path)?;
                            continue;
                        }
                        other => other?,
                    };
                    let key = record.object.key();
                    all.entry(key.scope()).or_default().insert(key, record);
                }
            }
        }
        Ok(all)
    }
}

pub(crate) fn instance_path(instance_dir: &Path) -> PathBuf {
    instance_dir.join("instance.json")
}

pub(crate) fn tunnel_path(instance_dir: &Path, connection: &str) -> PathBuf {
    instance_dir.join(format!("tunnel-{connection}.json"))
}

/// The directories in which keepers have their sockets.
pub(crate) fn keeper_sockets(root: &Path) -> Result<Vec<PathBuf>, LinuxError> {
    let files = files_below(&root.join("gateways"))?;
    let sockets = files.iter().filter(|path| path.file_name().is_some_and(|name| name == "keeper.sock"));
    Ok(sockets.filter_map(|path| path.parent().map(Path::to_owned)).collect())
}

/// The connections that an instance's directory has tunnels of.
pub(crate) fn connections(instance_dir: &Path) -> Result<Vec<String>, LinuxError> {
    let files = files_below(instance_dir)?;
    let names = files.iter().filter_map(|path| path.file_name()?.to_str());
    let connections = names.filter_map(|name| name.strip_prefix("tunnel-")?.strip_suffix(".json"));
    Ok(connections.map(str::to_owned).collect())
}

pub(crate) fn read(path: &Path) -> Result<Record, LinuxError> {
    let bytes = Zeroizing::new(fs::read(path).map_err(file(path))?);
    serde_json::from_slice(&bytes).map_err(|source| LinuxError::Record { path: path.into(), source })
}

/// Writes a file that only root can read, whole or not at all.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), LinuxError> {
    let draft = path.with_extension("draft");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut target = options.open(&draft).map_err(file(&draft))?;
    target.write_all(bytes).map_err(file(&draft))?;
    fs::rename(&draft, path).map_err(file(path))
}

pub(crate) fn make_private_dir(path: &Path) -> Result<(), LinuxError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(file(path))
}

pub(crate) fn remove_file(path: &Path) -> Result<(), LinuxError> {
    gone(fs::remove_file(path)).map_err(file(path))
}

pub(crate) fn remove_dir(path: &Path) -> Result<(), LinuxError> {
    gone(fs::remove_dir_all(path)).map_err(file(path))
}

fn gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn file(path: &Path) -> impl FnOnce(io::Error) -> LinuxError + use<> {
    let path = path.to_owned();
    move |source| LinuxError::File { path, source }
}

fn files_below(path: &Path) -> Result<Vec<PathBuf>, LinuxError> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(file(path))?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.map_err(file(path))?;
        if entry.file_type().map_err(file(path))?.is_dir() {
            files.extend(files_below(&entry.path())?);
        } else {
            files.push(entry.path());
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use causeway_plan::{FingerprintKey, Network, NetworkKey};

    use super::*;

    #[test]
    fn a_record_of_another_version_is_left_out_and_removed() {
        let dir = tempfile::tempdir().unwrap();
        let records = Records::at(dir.path());
        let key = |text: &str| NetworkKey::new(text).unwrap();
        for name in ["n1", "n2"] {
            let object = Object::Network(Network { key: key(name), cidrs: Vec::new() });
            let fingerprint = FingerprintKey::new(&[0; 32]).fingerprint(&object);
            records.put(&Record { object, fingerprint }).unwrap();
        }
        let odd = dir.path().join("networks/n2/network.json");
        fs::write(&odd, "{\"object\": {\"network\": {\"name\": \"n2\"}}}").unwrap();
        let scopes: Vec<Scope> = records.all().unwrap().into_keys().collect();
        assert_eq!(scopes, [Scope::Network(key("n1"))]);
        assert!(!odd.exists());
    }
}
