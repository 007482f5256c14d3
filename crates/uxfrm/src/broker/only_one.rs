//! One broker for each network namespace: two would share the port and take each other's ESP and policies.

use crate::sys::{check, netns, owned};
use std::io;
use std::mem::{offset_of, size_of, zeroed};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// An abstract Unix name, of which each network namespace has its own.
const NAME: &[u8] = b"\0uxfrm-broker";

/// Connections are never accepted: so many others may look before they cannot tell any more whose it is, and give way.
const BACKLOG: i32 = 4096;

/// Claims the namespace for as long as the descriptor is open. `None` where another broker of the same user has it. A stranger's
/// socket of that name claims nothing: everybody may make one.
///
/// # Errors
/// Of the socket calls.
pub(super) fn claim(namespace: Option<&OwnedFd>) -> io::Result<Option<OwnedFd>> {
    match namespace {
        Some(netns) => netns::run_in(netns.as_fd(), claim_here),
        None => claim_here(),
    }
}

fn claim_here() -> io::Result<Option<OwnedFd>> {
    let (socket, address, len) =
        (socket()?, address(), (offset_of!(libc::sockaddr_un, sun_path) + NAME.len()) as u32);
    let pointer = (&raw const address).cast();
    // SAFETY: `len` bytes of the address are initialised.
    let bound = check(unsafe { libc::bind(socket.as_raw_fd(), pointer, len) });
    match bound {
        Ok(_) => {
            // SAFETY: no pointers.
            check(unsafe { libc::listen(socket.as_raw_fd(), BACKLOG) })?;
            Ok(Some(socket))
        }
        Err(error) if error.raw_os_error() == Some(libc::EADDRINUSE) => {
            let client = self::socket()?;
            // SAFETY: as above.
            let connected = check(unsafe { libc::connect(client.as_raw_fd(), pointer, len) });
            let is_full = connected.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::WouldBlock);
            if is_full || connected.is_ok() && is_own(&client)? {
                return Ok(None);
            }
            tracing::warn!("a stranger has the name by which brokers know of each other");
            Ok(Some(socket))
        }
        Err(error) => Err(error),
    }
}

fn socket() -> io::Result<OwnedFd> {
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: no pointers.
    owned(unsafe { libc::socket(libc::AF_UNIX, kind, 0) })
}

fn address() -> libc::sockaddr_un {
    // SAFETY: all-zero is a valid sockaddr_un.
    let mut address: libc::sockaddr_un = unsafe { zeroed() };
    address.sun_family = libc::AF_UNIX as u16;
    for (to, from) in address.sun_path.iter_mut().zip(NAME) {
        *to = *from as libc::c_char;
    }
    address
}

/// Whether who listens is of this process's user.
fn is_own(client: &OwnedFd) -> io::Result<bool> {
    // SAFETY: all-zero is a valid ucred.
    let mut peer: libc::ucred = unsafe { zeroed() };
    let mut len = size_of::<libc::ucred>() as u32;
    let (fd, pointer) = (client.as_raw_fd(), (&raw mut peer).cast());
    // SAFETY: room for a ucred of that length.
    check(unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_PEERCRED, pointer, &mut len) })?;
    // SAFETY: no arguments, no failure.
    Ok(peer.uid == unsafe { libc::geteuid() })
}
