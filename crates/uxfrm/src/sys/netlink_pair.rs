//! Pairs of Unix sockets of which one end passes for a netlink socket.
//!
//! Whoever reads netlink messages checks that they come from the kernel: that the sender's address is a `sockaddr_nl`, 12
//! bytes, with `nl_pid` 0. An abstract Unix address of ten zero bytes looks like that. It takes a listener of that name to
//! have it, and abstract names are open to every process of a network namespace, whatever its user: one that connects in
//! the right moment would be the daemon to us, and be told the keys. So the pairs are made in a namespace where nobody
//! else is, and the connection that comes is checked to be our own.

use super::{check, check_len, message, netns, owned, random};
use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// Bytes by which our own end says that it is.
const TOKEN_LEN: usize = 16;
/// Connections of others that are turned away before a pair is given up.
const MAX_STRANGERS: usize = 64;

/// Where pairs are made: an empty network namespace.
pub struct PairMaker {
    netns: OwnedFd,
}

impl PairMaker {
    /// # Errors
    /// Without CAP_SYS_ADMIN, which intercepting the daemon takes anyway.
    pub fn new() -> io::Result<Self> {
        Ok(Self { netns: netns::empty()? })
    }

    /// A connected pair in which messages that the second end receives come from what looks like the kernel's address.
    /// Returns (server, client).
    ///
    /// # Errors
    /// Of the socket calls.
    pub fn pair(&self) -> io::Result<(OwnedFd, OwnedFd)> {
        netns::run_in(self.netns.as_fd(), pair_here)
    }
}

fn socket() -> io::Result<OwnedFd> {
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: no pointers.
    owned(unsafe { libc::socket(libc::AF_UNIX, kind, 0) })
}

/// The process at the other end of a connection.
fn peer(socket: &OwnedFd) -> io::Result<i32> {
    // SAFETY: all-zero is a valid ucred.
    let mut credentials: libc::ucred = unsafe { zeroed() };
    let mut len = size_of::<libc::ucred>() as u32;
    let (fd, pointer) = (socket.as_raw_fd(), (&raw mut credentials).cast());
    // SAFETY: room for a ucred of that length.
    check(unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_PEERCRED, pointer, &mut len) })?;
    Ok(credentials.pid)
}

/// Whether a connection is the one that we made: by process, and by what it sent first.
fn is_ours(server: &OwnedFd, token: &[u8; TOKEN_LEN]) -> bool {
    let mut first = [0; TOKEN_LEN];
    // SAFETY: no pointers.
    peer(server).is_ok_and(|pid| pid == unsafe { libc::getpid() })
        && matches!(message::receive(server.as_fd(), &mut first, false), Ok(Some((TOKEN_LEN, None))))
        && first == *token
}

fn pair_here() -> io::Result<(OwnedFd, OwnedFd)> {
    let (listener, client) = (socket()?, socket()?);
    // SAFETY: all-zero is a valid sockaddr_un.
    let mut address: libc::sockaddr_un = unsafe { zeroed() };
    address.sun_family = libc::AF_UNIX as u16;
    let (pointer, len) = ((&raw const address).cast(), size_of::<libc::sa_family_t>() as u32 + 10);
    let mut token = [0; TOKEN_LEN];
    random::fill(&mut token)?;
    // SAFETY: `len` bytes of the address are initialised.
    unsafe {
        check(libc::bind(listener.as_raw_fd(), pointer, len))?;
        check(libc::listen(listener.as_raw_fd(), 1))?;
    }
    let mut connected = false;
    for _ in 0..MAX_STRANGERS {
        if !connected {
            // SAFETY: as above.
            match check(unsafe { libc::connect(client.as_raw_fd(), pointer, len) }) {
                // Others have filled the backlog: they are turned away below.
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                other => {
                    other?;
                    message::send(client.as_fd(), &[&token], None, false)?;
                    connected = true;
                }
            }
        }
        let null = std::ptr::null_mut();
        let flags = libc::SOCK_CLOEXEC;
        // SAFETY: no address is asked for.
        let server =
            owned(unsafe { libc::accept4(listener.as_raw_fd(), null, std::ptr::null_mut(), flags) })?;
        if is_ours(&server, &token) {
            set_blocking(&client)?;
            return Ok((server, client));
        }
    }
    Err(io::ErrorKind::AddrInUse.into())
}

/// The daemon decides itself whether its end blocks.
fn set_blocking(socket: &OwnedFd) -> io::Result<()> {
    // SAFETY: no pointers; our own descriptor.
    check_len(unsafe { libc::fcntl(socket.as_raw_fd(), libc::F_SETFL, 0) } as isize).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_from_what_looks_like_the_kernel() {
        // SAFETY: no arguments, no failure.
        if unsafe { libc::geteuid() } != 0 {
            eprintln!("SKIPPED: not root");
            return;
        }
        let maker = PairMaker::new().unwrap();
        let pairs = [maker.pair().unwrap(), maker.pair().unwrap()];
        for (server, client) in &pairs {
            message::send(server.as_fd(), &[b"hello"], None, false).unwrap();
            let mut buffer = [0u8; 16];
            // SAFETY: all-zero is a valid sockaddr_storage.
            let mut from: libc::sockaddr_storage = unsafe { zeroed() };
            let mut len = size_of::<libc::sockaddr_storage>() as u32;
            // SAFETY: buffers of the stated lengths.
            let got = unsafe {
                let (fd, bytes) = (client.as_raw_fd(), buffer.as_mut_ptr().cast());
                libc::recvfrom(fd, bytes, buffer.len(), 0, (&raw mut from).cast(), &mut len)
            };
            assert_eq!((got, len), (5, 12));
            // SAFETY: the first twelve bytes of a larger structure.
            let bytes: [u8; 12] = unsafe { *(&raw const from).cast() };
            assert_eq!(bytes[2..], [0; 10]);
        }
    }

    /// A connection of another process, or without the token, is not taken for ours.
    #[test]
    fn strangers_are_recognised() {
        let token = [7; TOKEN_LEN];
        let (server, client) = message::pair().unwrap();
        assert!(!is_ours(&server, &token), "nothing was sent");
        message::send(client.as_fd(), &[&[8; TOKEN_LEN]], None, false).unwrap();
        assert!(!is_ours(&server, &token), "another token");
        message::send(client.as_fd(), &[&token, b"more"], None, false).unwrap();
        assert!(!is_ours(&server, &token), "more than a token");
        message::send(client.as_fd(), &[&token], None, false).unwrap();
        assert!(is_ours(&server, &token));
    }
}
