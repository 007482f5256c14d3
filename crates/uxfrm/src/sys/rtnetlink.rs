//! A socket of rtnetlink (rtnetlink(7)): requests that are acknowledged, dumps, and notices of changes.

use super::netlink::{NetlinkSocket, error_of};
use crate::xfrm::constants::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR};
use crate::xfrm::wire::{Header, Writer, messages};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// A socket in the namespace in which it was opened.
pub struct RouteSocket(NetlinkSocket);

impl RouteSocket {
    /// A socket that hears of changes to `groups` (`RTMGRP_*`, as bits); 0 for one that asks.
    ///
    /// # Errors
    /// Of `socket` and `bind`.
    pub fn open(groups: u32) -> io::Result<Self> {
        NetlinkSocket::open(libc::NETLINK_ROUTE, groups).map(Self)
    }

    /// Makes a request and waits for its acknowledgement, which the kernel gives at once. `flags` are those beside REQUEST
    /// and ACK.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn request(&mut self, kind: u16, flags: u16, body: &[u8]) -> io::Result<()> {
        self.0.send(&message(kind, NLM_F_REQUEST | NLM_F_ACK | flags, body))?;
        loop {
            let answer = messages(self.0.receive()?).find(|m| m.header.kind == NLMSG_ERROR);
            if let Some(answer) = answer {
                return error_of(answer.payload);
            }
        }
    }

    /// The bodies of all messages of a dump, or of the only answer to a request that is none.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn get(&mut self, kind: u16, dump: bool, body: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        let flags = NLM_F_REQUEST | if dump { NLM_F_DUMP } else { NLM_F_ACK };
        self.0.send(&message(kind, flags, body))?;
        let mut bodies = Vec::new();
        loop {
            for message in messages(self.0.receive()?) {
                match message.header.kind {
                    NLMSG_ERROR => return error_of(message.payload).map(|()| bodies),
                    NLMSG_DONE => return Ok(bodies),
                    _ => bodies.push(message.payload.to_vec()),
                }
            }
        }
    }

    /// Takes the notices that wait, unread: they say that something has changed.
    pub fn clear(&mut self) {
        loop {
            match self.0.receive() {
                Ok(_) => {}
                // Some were lost where too many came at once.
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {}
                Err(_) => return,
            }
        }
    }
}

impl AsFd for RouteSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    let mut writer = Writer::new(Header { kind, flags, sequence: 1, port: 0 });
    writer.bytes(body);
    writer.finish()
}
