//! Network namespaces: made, entered by sockets, and removed.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::time::Duration;
use std::{fs, io};

use nlink::netlink::namespace;
use nlink::{Nftables, Route};

use crate::error::{Doing, LinuxError};
use crate::netns_directory;

pub type RouteSocket = nlink::netlink::Connection<Route>;
pub type NftSocket = nlink::netlink::Connection<Nftables>;

/// A named network namespace, as `ip netns` knows it.
#[derive(Debug, Clone)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it exists.
    pub fn exists(&self) -> bool {
        namespace::is_namespace(&self.name)
    }

    /// Makes the namespace unless it exists, with its loopback up and these sysctls.
    pub async fn ensure(&self, sysctls: &'static [(&'static str, &'static str)]) -> Result<(), LinuxError> {
        let name = self.name.clone();
        // Making a namespace takes milliseconds in the kernel and belongs to no event loop.
        let make = move || {
            let what = || format!("making namespace {name}");
            if !namespace::is_namespace(&name) {
                netns_directory::ensure()?;
                let options = namespace::CreateOptions::new().reclaim_stale(true);
                namespace::create_with(&name, options).doing(what)?;
            }
            namespace::set_sysctls(&name, sysctls).doing(what)
        };
        tokio::task::spawn_blocking(make).await.map_err(|_| LinuxError::Stopped)??;
        self.route()?.set_link_up("lo").await.doing(|| format!("loopback of {}", self.name))
    }

    /// Removes the namespace if it exists. Links in it go with it.
    pub async fn remove(&self) -> Result<(), LinuxError> {
        let name = self.name.clone();
        let remove = move || match namespace::delete(&name) {
            Err(error) if error.is_not_found() => Ok(()),
            other => other,
        };
        let removed = tokio::task::spawn_blocking(remove).await.map_err(|_| LinuxError::Stopped)?;
        removed.doing(|| format!("removing namespace {}", self.name))
    }

    /// A routing socket in the namespace.
    pub fn route(&self) -> Result<RouteSocket, LinuxError> {
        RouteSocket::new_in(self.name.as_str()).doing(|| format!("routing socket in {}", self.name))
    }

    /// A command that will run in the namespace.
    pub fn command(&self, program: &str) -> Result<std::process::Command, LinuxError> {
        let namespace = namespace::open(&self.name).doing(|| format!("opening {}", self.name))?;
        let mut command = std::process::Command::new(program);
        let enter = move || {
            // SAFETY: setns takes two integers; the descriptor is open as long as the closure lives.
            match unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) } {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            }
        };
        // SAFETY: the closure makes one system call and allocates nothing, as is demanded of what runs
        // between fork and exec.
        unsafe { command.pre_exec(enter) };
        Ok(command)
    }

    /// An nftables socket in the namespace.
    pub fn nft(&self) -> Result<NftSocket, LinuxError> {
        NftSocket::new_in(self.name.as_str()).doing(|| format!("nftables socket in {}", self.name))
    }
}

/// Every namespace on the machine.
pub fn list() -> Result<Vec<String>, LinuxError> {
    namespace::list().doing(|| "listing namespaces".into())
}

/// A namespace that routes: the fabric, a network, a gateway instance. Reverse path filters would drop
/// what comes by another way than it goes, which tunnels and failover do.
pub const ROUTER_SYSCTLS: &[(&str, &str)] = &[
    ("net.ipv4.ip_forward", "1"),
    ("net.ipv6.conf.all.forwarding", "1"),
    ("net.ipv4.conf.all.rp_filter", "0"),
    ("net.ipv4.conf.default.rp_filter", "0"),
    ("net.ipv4.conf.all.send_redirects", "0"),
    ("net.ipv4.conf.default.send_redirects", "0"),
    ("net.ipv4.conf.all.accept_redirects", "0"),
    // An error goes back the way that the packet came: by its address the way is chosen.
    ("net.ipv4.icmp_errors_use_inbound_ifaddr", "1"),
    ("net.ipv6.conf.default.accept_ra", "0"),
    ("net.ipv6.conf.default.accept_dad", "0"),
];

/// A namespace that is a host.
pub const HOST_SYSCTLS: &[(&str, &str)] =
    &[("net.ipv6.conf.default.accept_ra", "0"), ("net.ipv6.conf.default.accept_dad", "0")];

/// How long a process may take to be gone after it was killed.
const END_LIMIT: Duration = Duration::from_secs(5);
const END_LOOK: Duration = Duration::from_millis(5);

/// Kills every process in a namespace and waits until none is left. A namespace of this engine holds only
/// processes that were started for it.
pub async fn end_processes(namespace: &Namespace) -> Result<(), LinuxError> {
    let failed = |source| LinuxError::System { what: format!("processes in {}", namespace.name()), source };
    let path = Path::new(nlink::NETNS_RUN_DIR).join(namespace.name());
    if !namespace.exists() {
        return Ok(());
    }
    let inode = fs::metadata(&path).map_err(failed)?.ino();
    let gone = async {
        loop {
            let left = processes_in(inode);
            if left.is_empty() {
                return;
            }
            for pid in left {
                // SAFETY: kill takes two integers. Every process in the namespace is one of ours.
                unsafe { libc::kill(pid, libc::SIGKILL) };
            }
            tokio::time::sleep(END_LOOK).await;
        }
    };
    tokio::time::timeout(END_LIMIT, gone).await.map_err(|_| failed(io::ErrorKind::TimedOut.into()))
}

/// The processes whose network namespace has this inode. Our own is never among them.
fn processes_in(inode: u64) -> Vec<libc::pid_t> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let inside = |pid: &libc::pid_t| {
        let namespace = fs::metadata(format!("/proc/{pid}/ns/net"));
        namespace.is_ok_and(|found| found.ino() == inode)
    };
    let own = libc::pid_t::try_from(std::process::id()).unwrap_or_default();
    pids.filter(|pid| *pid != own).filter(inside).collect()
}
