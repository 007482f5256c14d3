//! One XFRM socket of the daemon.

use crate::sys::epoll::Epoll;
use crate::sys::netlink_pair::PairMaker;
use crate::sys::outbox::Outbox;
use crate::xfrm::wire::{self, Header, Message};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

/// Bytes that may wait for the daemon to read: a dump of some hundred thousand SAs. Its next request is taken when it has.
const MAX_WAITING: usize = 64 << 20;
/// Events are lost beyond this, as with a full netlink socket: nobody asked for them.
const MAX_EVENTS: usize = 1 << 20;
/// Room for the word that an answer is not complete.
const RESERVE: usize = 64 << 10;

/// Our end of it, and what the daemon did to it.
pub struct Connection {
    server: OwnedFd,
    /// Inode of the daemon's end, by which its descriptor is recognised in later calls.
    pub inode: u64,
    /// Multicast groups, as in `nl_groups`.
    pub groups: u32,
    /// What the daemon believes its netlink port to be.
    pub port: u32,
    outbox: Outbox,
    /// Whether epoll was told to say when there is room.
    wants_room: bool,
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
        let outbox = Outbox::new(MAX_WAITING + RESERVE);
        Ok((Self { server, inode, groups: 0, port, outbox, wants_room: false }, client))
    }

    /// Gives the daemon one netlink message of an answer, when it has read those before. Whether there was room.
    pub fn deliver(&mut self, body: &mut [u8]) -> bool {
        self.send(body, MAX_WAITING)
    }

    /// Gives the daemon an error as the answer to a request: also where an answer had no more room.
    pub fn deliver_error(&mut self, request: Header, errno: i32) {
        self.send(
            &mut wire::error_message(Message { header: request, payload: &[] }, errno),
            MAX_WAITING + RESERVE,
        );
    }

    fn send(&mut self, body: &mut [u8], limit: usize) -> bool {
        if let Some(port) = body.get_mut(12..16) {
            port.copy_from_slice(&self.port.to_ne_bytes());
        }
        if self.outbox.len() + body.len() > limit {
            return false;
        }
        match self.outbox.send(self.server.as_fd(), &[body], None) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            // It is gone, which the end of the connection will say.
            _ => true,
        }
    }

    /// Gives the daemon an event if it listens to the group.
    pub fn deliver_event(&mut self, group: u32, body: &[u8]) {
        let listens = (1..=32).contains(&group) && self.groups >> (group - 1) & 1 == 1;
        if listens && self.outbox.len() + body.len() > MAX_EVENTS {
            tracing::warn!("the IKE daemon does not read: an event is lost");
        } else if listens {
            // It is gone, which the end of the connection will say.
            let _ = self.outbox.send(self.server.as_fd(), &[body], None);
        }
    }

    /// Gives the daemon what waits, as far as there is room.
    pub fn flush(&mut self) {
        // It is gone, which the end of the connection will say.
        let _ = self.outbox.flush(self.server.as_fd());
    }

    /// Has epoll say when there is room, and while something waits, nothing else: who does not read answers asks nothing.
    ///
    /// # Errors
    /// Of epoll.
    pub fn watch(&mut self, epoll: &Epoll, token: u64) -> io::Result<()> {
        let waits = !self.outbox.is_empty();
        if waits != self.wants_room {
            self.wants_room = waits;
            epoll.modify(self.server.as_fd(), token, !waits, waits)?;
        }
        Ok(())
    }

    /// Our end.
    pub fn server(&self) -> BorrowedFd<'_> {
        self.server.as_fd()
    }
}
