//! The kernel's own XFRM, with one xfrm interface per tunnel.

use std::io;
use std::os::fd::OwnedFd;

use futures_util::future::BoxFuture;
use nlink::netlink::link::XfrmLink;
use nlink::netlink::{Connection, Xfrm};
use tokio::process::{Child, Command};

use super::DataPlane;
use crate::error::{Already, Doing, LinuxError};
use crate::links;
use crate::netns::RouteSocket;

/// Lets charon speak to the kernel.
pub(crate) struct KernelXfrm {
    socket: RouteSocket,
}

impl KernelXfrm {
    /// For the namespace that the calling thread is in.
    pub(crate) fn new() -> Result<Self, LinuxError> {
        Ok(Self { socket: RouteSocket::new().doing(|| "routing socket".into())? })
    }
}

impl DataPlane for KernelXfrm {
    fn name(&self) -> &'static str {
        "kernel"
    }

    fn force_encap(&self) -> bool {
        false
    }

    fn ended(&self) -> io::Result<Option<OwnedFd>> {
        Ok(None)
    }

    fn flush(&self) -> BoxFuture<'_, Result<(), LinuxError>> {
        Box::pin(async {
            let what = || "flushing the kernel's SAs and policies".to_owned();
            let xfrm = Connection::<Xfrm>::new().doing(what)?;
            xfrm.flush_sp().await.doing(what)?;
            xfrm.flush_sa().await.doing(what)
        })
    }

    fn spawn(&mut self, mut charon: Command) -> io::Result<Child> {
        charon.spawn()
    }

    fn ensure_interface<'a>(
        &'a mut self,
        if_id: u32,
        name: &'a str,
        mtu: u16,
    ) -> BoxFuture<'a, Result<(), LinuxError>> {
        Box::pin(async move {
            let what = || format!("xfrm interface {name}");
            let link = XfrmLink::new(name, if_id).mtu(mtu.into()).link("lo");
            self.socket.add_link(link).await.or_exists().doing(what)?;
            self.socket.set_link_mtu(name, mtu.into()).await.doing(what)
        })
    }

    fn remove_interface<'a>(
        &'a mut self,
        _if_id: u32,
        name: &'a str,
        _is_last: bool,
    ) -> BoxFuture<'a, Result<(), LinuxError>> {
        Box::pin(links::remove(&self.socket, name))
    }
}
