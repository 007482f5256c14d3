//! What can go wrong on the node.

use std::io;
use std::path::PathBuf;

use causeway_engine::EngineError;

use crate::shim::protocol::Refusal;

/// Errors of the Linux engine. An [`EngineError`] carries them as its source.
#[derive(Debug, thiserror::Error)]
pub enum LinuxError {
    #[error("{what}")]
    Netlink { what: String, source: Box<nlink::Error> },
    #[error("{path}")]
    File { path: PathBuf, source: io::Error },
    #[error("{path} is not a record of this engine")]
    Record { path: PathBuf, source: serde_json::Error },
    #[error("the keeper of instance {instance}")]
    Shim { instance: String, source: io::Error },
    #[error("the keeper of instance {instance}")]
    Refused { instance: String, source: Refusal },
    #[error("the keeper of instance {instance} did not start within {seconds} s")]
    ShimSilent { instance: String, seconds: u64 },
    #[error("node tag {0:?}: 1 to 8 characters of a-z and 0-9")]
    Tag(String),
    #[error("another engine has {0}")]
    InUse(PathBuf),
    #[error("{what}")]
    System { what: String, source: io::Error },
    #[error("IPsec in user space")]
    User { source: uxfrm::broker::BrokerError },
    /// Nothing here can carry ESP.
    #[error("no data plane: the kernel has no {kernel}, and uxfrm does not work here:\n{user}")]
    NoDataPlane { kernel: String, user: String },
    #[error("{0} is not there: install strongSwan's charon-systemd")]
    NoCharon(PathBuf),
    #[error("a task of the engine was stopped")]
    Stopped,
}

impl LinuxError {
    fn errno(&self) -> Option<i32> {
        match self {
            Self::Netlink { source, .. } => source.errno(),
            Self::File { source, .. } | Self::Shim { source, .. } | Self::System { source, .. } => {
                source.raw_os_error()
            }
            _ => None,
        }
    }

    /// What helps where the machine does not permit what the engine does.
    pub fn remedy(&self) -> Option<&'static str> {
        match self.errno()? {
            libc::EPERM | libc::EACCES => Some(
                "real gateways take root with CAP_SYS_ADMIN, CAP_NET_ADMIN and CAP_NET_RAW (docs/operating.md says how \
                 in a container); --engine memory takes none",
            ),
            libc::EROFS => Some(
                "/proc/sys is read-only, as containers have it: --security-opt systempaths=unconfined (Docker) or \
                 unmask=/proc/sys (Podman); --engine memory needs no such thing",
            ),
            _ => None,
        }
    }
}

impl From<LinuxError> for EngineError {
    fn from(error: LinuxError) -> Self {
        Self::Failed { what: error.to_string(), source: Box::new(error) }
    }
}

/// Says what a netlink call was for.
pub(crate) trait Doing<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, LinuxError>;
}

impl<T> Doing<T> for Result<T, nlink::Error> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, LinuxError> {
        self.map_err(|source| LinuxError::Netlink { what: what(), source: Box::new(source) })
    }
}

/// "Exists already" and "is gone already" are what was wanted.
pub(crate) trait Already {
    fn or_exists(self) -> Self;
    fn or_gone(self) -> Self;
}

impl Already for Result<(), nlink::Error> {
    fn or_exists(self) -> Self {
        self.or_else(|error| if error.is_already_exists() { Ok(()) } else { Err(error) })
    }

    fn or_gone(self) -> Self {
        self.or_else(|error| if error.is_not_found() || error.is_no_device() { Ok(()) } else { Err(error) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(errno: i32) -> LinuxError {
        let source = io::Error::from_raw_os_error(errno);
        LinuxError::System { what: "a tmpfs for /run/causeway".to_owned(), source }
    }

    #[test]
    fn what_is_not_permitted_has_a_remedy() {
        assert!(failed(libc::EPERM).remedy().is_some_and(|text| text.contains("CAP_SYS_ADMIN")));
        assert!(failed(libc::EROFS).remedy().is_some_and(|text| text.contains("/proc/sys")));
        assert_eq!(failed(libc::ENOSPC).remedy(), None);
    }
}
