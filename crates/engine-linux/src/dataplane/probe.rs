//! Looks what a node's kernel can do, by trying it in a network namespace of its own.

use std::io;
use std::net::Ipv4Addr;

use nlink::netlink::link::XfrmLink;
use nlink::netlink::xfrm::{IpsecProtocol, XfrmSaBuilder};
use nlink::netlink::{Connection, Route, Xfrm};
use tokio::sync::oneshot;

use super::{Choice, Kind};
use crate::error::LinuxError;

/// Chooses the data plane of a node. The kernel and uxfrm are tried side by side.
///
/// # Errors
/// [`LinuxError::NoDataPlane`] when neither works here, and others when not even a namespace can be made.
pub(crate) async fn probe() -> Result<Choice, LinuxError> {
    let user = tokio::task::spawn_blocking(uxfrm::probe::probe);
    let Some(what) = apart(async || kernel_lacks().await).await? else {
        return Ok(Choice { kind: Kind::Kernel, reason: "the kernel has ESP and xfrm interfaces".into() });
    };
    let user = user.await.map_err(|_| LinuxError::Stopped)?;
    if !user.uxfrm_works() {
        return Err(LinuxError::NoDataPlane { kernel: what, user: user.to_string() });
    }
    Ok(Choice { kind: Kind::Uxfrm, reason: format!("the kernel has no {what}") })
}

/// Whether the kernel carries ESP itself, built in or as a module that it can load. Needs root.
///
/// # Errors
/// [`LinuxError::System`] when no namespace to try it in can be made.
pub async fn kernel_has_esp() -> Result<bool, LinuxError> {
    Ok(apart(async || esp_lacks().await).await?.is_none())
}

/// Runs something on a thread in a network namespace without a name, which goes with the thread.
async fn apart<T, F>(work: F) -> Result<T, LinuxError>
where
    T: Send + 'static,
    F: AsyncFnOnce() -> T + Send + 'static,
{
    let (sender, receiver) = oneshot::channel();
    let run = move || {
        // SAFETY: unshare takes flags and touches no memory; the namespace changes for this thread alone, which runs
        // nothing else and ends with this work.
        if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
            return Err(io::Error::last_os_error());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(runtime.block_on(work()))
    };
    let failed = |source| LinuxError::System { what: "a network namespace to try things in".into(), source };
    let spawned = std::thread::Builder::new().spawn(move || {
        // Nobody waits any more when the caller was dropped.
        let _ = sender.send(run());
    });
    spawned.map_err(failed)?;
    receiver.await.map_err(|_| LinuxError::Stopped)?.map_err(failed)
}

/// What the kernel's own IPsec is missing, with its answer.
async fn kernel_lacks() -> Option<String> {
    let link = XfrmLink::new("probe", 1).link("lo");
    let added = match Connection::<Route>::new() {
        Ok(socket) => socket.add_link(link).await,
        Err(error) => Err(error),
    };
    match added {
        Err(error) => Some(format!("xfrm interfaces ({error})")),
        Ok(()) => esp_lacks().await,
    }
}

/// The kernel's answer to an SA, when it takes none. It looks for the protocol when one is added.
async fn esp_lacks() -> Option<String> {
    // The key is for an SA nobody sends with.
    let ends = (Ipv4Addr::LOCALHOST.into(), Ipv4Addr::new(127, 0, 0, 2).into());
    let sa = XfrmSaBuilder::new(ends.0, ends.1, 0x1000, IpsecProtocol::Esp).aead_aes_gcm(&[1; 20], 128);
    let added = match Connection::<Xfrm>::new() {
        Ok(socket) => socket.add_sa(sa).await,
        Err(error) => Err(error),
    };
    added.err().map(|error| format!("ESP ({error})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_tried_apart_changes_no_other_namespace() {
        // SAFETY: geteuid takes nothing and cannot fail.
        if unsafe { libc::geteuid() } != 0 {
            return eprintln!("SKIPPED: network namespaces need root");
        }
        let namespace = || std::fs::read_link("/proc/thread-self/ns/net").unwrap();
        let own = namespace();
        let other =
            apart(async move || std::fs::read_link("/proc/thread-self/ns/net").unwrap()).await.unwrap();
        assert_ne!(other, own);
        assert_eq!(namespace(), own);
    }

    #[tokio::test]
    async fn the_kernel_that_carries_gateways_has_esp() {
        // SAFETY: geteuid takes nothing and cannot fail.
        if unsafe { libc::geteuid() } != 0 {
            return eprintln!("SKIPPED: network namespaces need root");
        }
        let choice = probe().await.unwrap();
        let has_esp = kernel_has_esp().await.unwrap();
        assert!(choice.kind != Kind::Kernel || has_esp, "{choice:?}");
        // Without ESP no SA is taken, whatever files say.
        let loaded = std::path::Path::new("/sys/module/esp4").exists();
        assert!(has_esp || !loaded, "esp4 is loaded and takes no SA");
    }
}
