//! A netlink socket of any protocol (netlink(7)).

use super::socket::set;
use super::{check, check_len, owned};
use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// Room for what the kernel puts into one datagram.
const BUFFER_LEN: usize = 32 * 1024;

/// What every socket has room for when it sends, in bytes.
const DEFAULT_ROOM: libc::c_int = 64 * 1024;

/// A socket in the namespace in which it was opened.
pub struct NetlinkSocket {
    fd: OwnedFd,
    buffer: Vec<u8>,
}

impl NetlinkSocket {
    /// A socket of a `NETLINK_*` protocol that hears what is told to `groups` (as bits). One that hears of nothing waits for
    /// answers, any other does not wait.
    ///
    /// # Errors
    /// Of `socket` and `bind`.
    pub fn open(protocol: libc::c_int, groups: u32) -> io::Result<Self> {
        let wait = if groups == 0 { 0 } else { libc::SOCK_NONBLOCK };
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | wait;
        // SAFETY: no pointers.
        let fd = owned(unsafe { libc::socket(libc::AF_NETLINK, kind, protocol) })?;
        // SAFETY: all-zero is a valid sockaddr_nl.
        let mut address: libc::sockaddr_nl = unsafe { zeroed() };
        address.nl_family = libc::AF_NETLINK as u16;
        address.nl_groups = groups;
        let len = size_of::<libc::sockaddr_nl>() as u32;
        // SAFETY: a valid address of the stated length.
        check(unsafe { libc::bind(fd.as_raw_fd(), (&raw const address).cast(), len) })?;
        Ok(Self { fd, buffer: vec![0; BUFFER_LEN] })
    }

    /// Makes room for a message of `len` bytes, where the socket has less; what is too much for it anyway `send` says.
    pub fn make_room(&self, len: usize) {
        let (fd, size) = (self.fd.as_raw_fd(), len.next_power_of_two() as libc::c_int);
        if size > DEFAULT_ROOM {
            let force = set(fd, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, size);
            let _ = force.or_else(|_| set(fd, libc::SOL_SOCKET, libc::SO_SNDBUF, size));
        }
    }

    /// # Errors
    /// Of `send`.
    pub fn send(&self, message: &[u8]) -> io::Result<()> {
        // SAFETY: a readable buffer of the stated length.
        check_len(unsafe { libc::send(self.fd.as_raw_fd(), message.as_ptr().cast(), message.len(), 0) })
            .map(drop)
    }

    /// The next datagram.
    ///
    /// # Errors
    /// Of `recv`.
    pub fn receive(&mut self) -> io::Result<&[u8]> {
        self.receive_with(0)
    }

    /// The next datagram, where one is there.
    ///
    /// # Errors
    /// Of `recv`.
    pub fn receive_now(&mut self) -> io::Result<Option<&[u8]>> {
        match self.receive_with(libc::MSG_DONTWAIT) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            other => other.map(Some),
        }
    }

    fn receive_with(&mut self, flags: libc::c_int) -> io::Result<&[u8]> {
        let (pointer, len) = (self.buffer.as_mut_ptr().cast(), self.buffer.len());
        // SAFETY: a writable buffer of the stated length.
        let len = check_len(unsafe { libc::recv(self.fd.as_raw_fd(), pointer, len, flags) })?;
        Ok(&self.buffer[..len])
    }
}

impl AsFd for NetlinkSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// What the body of an `NLMSG_ERROR` says.
///
/// # Errors
/// The kernel's.
pub fn error_of(payload: &[u8]) -> io::Result<()> {
    match payload.first_chunk().map(|error| i32::from_ne_bytes(*error)) {
        Some(0) => Ok(()),
        Some(error) => Err(io::Error::from_raw_os_error(-error)),
        None => Err(io::ErrorKind::InvalidData.into()),
    }
}
