//! A lab: what stands outside a gateway. Hosts in a network's subnets, and customer sites: a router with
//! stock strongSwan on the fabric and a host behind it. Demo and tests use it, and `causeway lab`.
//!
//! Everything is found again by name, so that each command of a command line can be a process of its own.

mod error;
mod exec;
mod host;
mod measure;
mod site;

use std::path::PathBuf;

use causeway_engine_linux::names::{Names, Role};
use causeway_engine_linux::netns::{self, Namespace};

pub use error::LabError;
pub use exec::{Finished, Machine};
pub use host::HostSpec;
pub use measure::{Iperf, Ping, Protocol};
pub use site::{Site, SiteSpec};

/// The longest name of a host or site, in characters: the links at their far ends are named after them.
pub const MAX_NAME_CHARS: usize = 10;

/// The lab of one node.
#[derive(Debug, Clone)]
pub struct Lab {
    names: Names,
    dir: PathBuf,
}

impl Lab {
    /// The lab beside an engine with this tag and run directory.
    pub fn new(node_tag: &str, run_dir: impl Into<PathBuf>) -> Self {
        Self { names: Names::new(node_tag), dir: run_dir.into().join("lab") }
    }

    /// The host, or the router of the site, of this name.
    ///
    /// # Errors
    /// [`LabError::Unknown`] when there is none.
    pub fn machine(&self, name: &str) -> Result<Machine, LabError> {
        let namespace = self.namespace(name)?;
        if namespace.exists() { Ok(Machine::new(namespace)) } else { Err(LabError::Unknown(name.into())) }
    }

    /// The names of all hosts and sites, those of the hosts behind sites included.
    ///
    /// # Errors
    /// [`LabError::Node`] when the namespaces cannot be listed.
    pub fn list(&self) -> Result<Vec<String>, LabError> {
        let roles = netns::list()?.into_iter().filter_map(|name| self.names.role(&name));
        let mut names: Vec<String> = roles
            .filter_map(|role| match role {
                Role::Lab(name) => Some(name),
                _ => None,
            })
            .collect();
        names.sort();
        Ok(names)
    }

    /// Removes a host, or a site with the host behind it. One that does not exist counts as removed.
    ///
    /// # Errors
    /// [`LabError::Node`] when something stayed.
    pub async fn delete(&self, name: &str) -> Result<(), LabError> {
        for name in [name.to_owned(), site::host_of(name)] {
            let namespace = Namespace::named(self.names.lab(&name));
            netns::end_processes(&namespace).await?;
            namespace.remove().await?;
        }
        match std::fs::remove_dir_all(self.dir.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(LabError::Io(error)),
            _ => Ok(()),
        }
    }

    /// Removes every host and site.
    ///
    /// # Errors
    /// [`LabError::Node`] when something stayed.
    pub async fn clear(&self) -> Result<(), LabError> {
        for name in self.list()? {
            self.delete(&name).await?;
        }
        Ok(())
    }

    fn namespace(&self, name: &str) -> Result<Namespace, LabError> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let own = name.strip_suffix(site::HOST_SUFFIX).unwrap_or(name);
        if (1..=MAX_NAME_CHARS).contains(&own.len()) && own.bytes().all(plain) {
            Ok(Namespace::named(self.names.lab(name)))
        } else {
            Err(LabError::Name(name.into()))
        }
    }
}
