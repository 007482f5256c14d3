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
    /// Events were lost, and who listens does not know yet.
    lost: bool,
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
        Ok((Self { server, inode, groups: 0, port, outbox, lost: false, wants_room: false }, client))
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

    /// Gives the daemon an event if it listens to the group. After one that was lost nothing comes until all was read that waits:
    /// then the word that some are missing, where the kernel's socket has ENOBUFS.
    pub fn deliver_event(&mut self, group: u32, body: &[u8]) {
        let listens = (1..=32).contains(&group) && self.groups >> (group - 1) & 1 == 1;
        if listens && (self.lost || self.outbox.len() + body.len() > MAX_EVENTS) {
            if !std::mem::replace(&mut self.lost, true) {
                tracing::warn!(
                    port = self.port,
                    "who listens to XFRM events does not read them: some are lost"
                );
            }
        } else if listens {
            // It is gone, which the end of the connection will say.
            let _ = self.outbox.send(self.server.as_fd(), &[body], None);
        }
    }

    /// Gives the daemon what waits, as far as there is room.
    pub fn flush(&mut self) {
        // It is gone, which the end of the connection will say.
        let _ = self.outbox.flush(self.server.as_fd());
        if self.lost && self.outbox.is_empty() {
            self.lost = false;
            let _ = self.outbox.send(self.server.as_fd(), &[&wire::overrun_message()], None);
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::message;
    use crate::xfrm::constants::{NLMSG_OVERRUN, XFRMNLGRP_POLICY};

    /// Who does not read events gets those that there was room for, then the word that some are missing, then the next.
    #[test]
    fn lost_events_are_told() {
        // SAFETY: no arguments, no failure.
        if unsafe { libc::geteuid() } != 0 {
            eprintln!("SKIPPED: not root");
            return;
        }
        let (mut connection, client) = Connection::new(&PairMaker::new().unwrap(), 7, true).unwrap();
        connection.groups = 1 << (XFRMNLGRP_POLICY - 1);
        let event = |number: u32| {
            let mut writer = wire::Writer::new(Header { kind: 19, flags: 0, sequence: number, port: 0 });
            writer.zeros(500);
            writer.finish()
        };
        let count = 2 * (MAX_EVENTS / 500) as u32;
        (0..count).for_each(|number| connection.deliver_event(XFRMNLGRP_POLICY, &event(number)));
        assert!(connection.outbox.len() <= MAX_EVENTS);
        let (mut heard, mut buffer) = (Vec::new(), [0; 1024]);
        loop {
            match message::receive(client.as_fd(), &mut buffer, false).unwrap() {
                Some((len, _)) => {
                    let header = wire::header(&buffer[..len]).unwrap();
                    heard.push((header.kind, header.sequence));
                }
                None if connection.outbox.is_empty() => break,
                None => connection.flush(),
            }
        }
        let events = heard.iter().filter(|(kind, _)| *kind == 19).count();
        assert!((100..count as usize).contains(&events), "{events}");
        let in_order = heard.iter().zip(0..).take(events).all(|(event, number)| *event == (19, number));
        assert!(in_order && heard.len() == events + 1, "those before the first lost one, and a word");
        assert_eq!(heard[events], (NLMSG_OVERRUN, 0));
        connection.deliver_event(XFRMNLGRP_POLICY, &event(count));
        let (len, _) = message::receive(client.as_fd(), &mut buffer, false).unwrap().unwrap();
        assert_eq!(wire::header(&buffer[..len]).map(|header| header.sequence), Some(count));
    }
}
