//! A socket of rtnetlink (rtnetlink(7)): requests that are acknowledged, dumps, and notices of changes.

use super::{check, check_len, owned};
use crate::xfrm::constants::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR};
use crate::xfrm::wire::{Header, Writer, messages};
use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// Room for what the kernel puts into one datagram of a dump.
const BUFFER_LEN: usize = 32 * 1024;

/// A socket in the namespace in which it was opened.
pub struct RouteSocket {
    fd: OwnedFd,
    buffer: Vec<u8>,
}

impl RouteSocket {
    /// A socket that hears of changes to `groups` (`RTMGRP_*`, as bits); 0 for one that asks.
    ///
    /// # Errors
    /// Of `socket` and `bind`.
    pub fn open(groups: u32) -> io::Result<Self> {
        let wait = if groups == 0 { 0 } else { libc::SOCK_NONBLOCK };
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | wait;
        // SAFETY: no pointers.
        let fd = owned(unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_ROUTE) })?;
        // SAFETY: all-zero is a valid sockaddr_nl.
        let mut address: libc::sockaddr_nl = unsafe { zeroed() };
        address.nl_family = libc::AF_NETLINK as u16;
        address.nl_groups = groups;
        let len = size_of::<libc::sockaddr_nl>() as u32;
        // SAFETY: a valid address of the stated length.
        check(unsafe { libc::bind(fd.as_raw_fd(), (&raw const address).cast(), len) })?;
        Ok(Self { fd, buffer: vec![0; BUFFER_LEN] })
    }

    fn send(&self, message: &[u8]) -> io::Result<()> {
        // SAFETY: a readable buffer of the stated length.
        check_len(unsafe { libc::send(self.fd.as_raw_fd(), message.as_ptr().cast(), message.len(), 0) })
            .map(drop)
    }

    fn receive(&mut self) -> io::Result<usize> {
        let (pointer, len) = (self.buffer.as_mut_ptr().cast(), self.buffer.len());
        // SAFETY: a writable buffer of the stated length.
        check_len(unsafe { libc::recv(self.fd.as_raw_fd(), pointer, len, 0) })
    }

    /// Makes a request and waits for its acknowledgement, which the kernel gives at once. `flags` are those beside REQUEST
    /// and ACK.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn request(&mut self, kind: u16, flags: u16, body: &[u8]) -> io::Result<()> {
        self.send(&message(kind, NLM_F_REQUEST | NLM_F_ACK | flags, body))?;
        loop {
            let len = self.receive()?;
            let answer = messages(&self.buffer[..len]).find(|m| m.header.kind == NLMSG_ERROR);
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
        self.send(&message(kind, flags, body))?;
        let mut bodies = Vec::new();
        loop {
            let len = self.receive()?;
            for message in messages(&self.buffer[..len]) {
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
            match self.receive() {
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
        self.fd.as_fd()
    }
}

fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    let mut writer = Writer::new(Header { kind, flags, sequence: 1, port: 0 });
    writer.bytes(body);
    writer.finish()
}

fn error_of(payload: &[u8]) -> io::Result<()> {
    match payload.first_chunk().map(|error| i32::from_ne_bytes(*error)) {
        Some(0) => Ok(()),
        Some(error) => Err(io::Error::from_raw_os_error(-error)),
        None => Err(io::ErrorKind::InvalidData.into()),
    }
}
