//! One XFRM socket of the daemon.

use crate::sys::message;
use crate::sys::netlink_pair::PairMaker;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

/// Our end of it, and what the daemon did to it.
pub struct Connection {
    server: OwnedFd,
    /// Inode of the daemon's end, by which its descriptor is recognised in later calls.
    pub inode: u64,
    /// Multicast groups, as in `nl_groups`.
    pub groups: u32,
    /// What the daemon believes its netlink port to be.
    pub port: u32,
}

impl Connection {
    /// A new socket; returns the daemon's end too.
    ///
    /// # Errors
    /// Of the socket calls.
    pub fn new(maker: &PairMaker, port: u32, non_blocking: bool) -> io::Result<(Self, OwnedFd)> {
        let (server, client) = maker.pair()?;
        if non_blocking {
            // SAFETY: no pointers; our own descriptor.
            crate::sys::check(unsafe { libc::fcntl(client.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) })?;
        }
        let inode = std::fs::File::from(client.try_clone()?).metadata()?.ino();
        Ok((Self { server, inode, groups: 0, port }, client))
    }

    /// Gives the daemon one netlink message. A daemon that does not read loses it, as with a full netlink socket.
    pub fn deliver(&self, body: &mut [u8]) {
        if let Some(port) = body.get_mut(12..16) {
            port.copy_from_slice(&self.port.to_ne_bytes());
        }
        if let Err(error) = message::send(self.server.as_fd(), &[body], None, false) {
            tracing::warn!(%error, "the IKE daemon does not take a netlink message");
        }
    }

    /// Gives the daemon an event if it listens to the group.
    pub fn deliver_event(&self, group: u32, body: &[u8]) {
        if (1..=32).contains(&group) && self.groups >> (group - 1) & 1 == 1 {
            let _ = message::send(self.server.as_fd(), &[body], None, false)
                .map_err(|error| tracing::warn!(%error, "the IKE daemon does not take an event"));
        }
    }

    /// Our end.
    pub fn server(&self) -> BorrowedFd<'_> {
        self.server.as_fd()
    }
}
