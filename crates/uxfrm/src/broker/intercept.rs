//! Answers to the daemon's intercepted system calls.

use super::connection::Connection;
use super::process::START_DESCRIPTORS;
use crate::sys::netlink_pair::PairMaker;
use crate::sys::seccomp::{self, Notification};
use crate::sys::{self, socket};
use crate::xfrm::constants::{XFRM_POLICY_ALLOW, XFRM_POLICY_OUT};
use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, BorrowedFd};

/// Length of `struct sockaddr_nl`.
const SOCKADDR_NL_LEN: usize = 12;

/// What a call led to.
pub enum Outcome {
    Nothing,
    /// A new XFRM socket.
    Opened(Connection),
}

fn process_of(thread: u32) -> io::Result<u32> {
    let status = std::fs::read_to_string(format!("/proc/{thread}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("Tgid:"));
    line.and_then(|id| id.trim().parse().ok()).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// The inode of a socket in the caller's table.
fn inode_of(thread: u32, fd: u64) -> Option<u64> {
    let link = std::fs::read_link(format!("/proc/{thread}/fd/{}", fd as i32)).ok()?;
    link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// Answers one call. `find` looks up one of our sockets by its inode.
///
/// # Errors
/// Of answering; a call that cannot be served is answered with an error and is no error here.
pub fn answer<'c>(
    listener: BorrowedFd<'_>,
    call: &Notification,
    port: u16,
    maker: &PairMaker,
    find: impl Fn(u64) -> Option<&'c mut Connection>,
) -> io::Result<Outcome> {
    match call.number {
        libc::SYS_socket => return open(listener, call, maker),
        libc::SYS_bind => {
            let inode = inode_of(call.thread, call.arguments[0]);
            match inode.and_then(find) {
                Some(connection) => bind_netlink(listener, call, connection)?,
                None => {
                    if let Err(error) = share_port(listener, call, port) {
                        tracing::warn!(%error, "cannot share the port of the IKE daemon's socket");
                    }
                    seccomp::proceed(listener, call)?;
                }
            }
        }
        libc::SYS_getsockname => {
            let inode = inode_of(call.thread, call.arguments[0]);
            match inode.and_then(find) {
                Some(connection) => name(listener, call, connection)?,
                None => seccomp::proceed(listener, call)?,
            }
        }
        libc::SYS_setsockopt => {
            if let Err(error) = exempt(listener, call) {
                tracing::warn!(%error, "cannot exempt a socket of the IKE daemon from policies");
            }
            // The kernel's own IPsec, if it has one, has no part in this.
            seccomp::answer(listener, call, 0)?;
        }
        _ => seccomp::proceed(listener, call)?,
    }
    Ok(Outcome::Nothing)
}

/// `socket(AF_NETLINK, …, NETLINK_XFRM)`: one of our sockets in its place.
fn open(listener: BorrowedFd<'_>, call: &Notification, maker: &PairMaker) -> io::Result<Outcome> {
    let kind = call.arguments[1] as i32;
    let made = Connection::new(maker, call.thread, kind & libc::SOCK_NONBLOCK != 0);
    // A daemon that opens ever more must not keep the next engine from starting.
    let made = made.and_then(|pair| {
        let fits = sys::leaves_room(pair.0.server(), START_DESCRIPTORS);
        if fits { Ok(pair) } else { Err(io::Error::from_raw_os_error(libc::EMFILE)) }
    });
    let (connection, client) = match made {
        Ok(pair) => pair,
        Err(error) => {
            tracing::error!(%error, "cannot make an XFRM socket");
            seccomp::answer(listener, call, libc::ENOBUFS)?;
            return Ok(Outcome::Nothing);
        }
    };
    let close_on_exec = kind & libc::SOCK_CLOEXEC != 0;
    match seccomp::answer_with_descriptor(listener, call, client.as_fd(), close_on_exec) {
        Ok(()) => Ok(Outcome::Opened(connection)),
        // The caller was killed meanwhile.
        Err(e) if e.raw_os_error() == Some(libc::ENOENT) => Ok(Outcome::Nothing),
        Err(error) => {
            tracing::error!(%error, "cannot give the IKE daemon an XFRM socket");
            seccomp::answer(listener, call, libc::EMFILE)?;
            Ok(Outcome::Nothing)
        }
    }
}

/// `bind` of one of our sockets: the groups are what counts.
fn bind_netlink(
    listener: BorrowedFd<'_>,
    call: &Notification,
    connection: &mut Connection,
) -> io::Result<()> {
    let mut address = [0; SOCKADDR_NL_LEN];
    let read = seccomp::read_memory(call.thread, call.arguments[1], &mut address);
    // Else the caller was killed, and what was read may be another's of the same number.
    if !seccomp::is_pending(listener, call) {
        return Ok(());
    }
    let valid = matches!(read, Ok(SOCKADDR_NL_LEN))
        && call.arguments[2] as usize >= SOCKADDR_NL_LEN
        && u16::from_ne_bytes([address[0], address[1]]) == libc::AF_NETLINK as u16;
    if !valid {
        return seccomp::answer(listener, call, libc::EINVAL);
    }
    let word = |i: usize| u32::from_ne_bytes([address[i], address[i + 1], address[i + 2], address[i + 3]]);
    if word(4) != 0 {
        connection.port = word(4);
    }
    connection.groups = word(8);
    seccomp::answer(listener, call, 0)
}

/// `getsockname` of one of our sockets: a `sockaddr_nl`.
fn name(listener: BorrowedFd<'_>, call: &Notification, connection: &Connection) -> io::Result<()> {
    let mut len = [0; 4];
    let write = || -> io::Result<()> {
        seccomp::read_memory(call.thread, call.arguments[2], &mut len)?;
        let mut address = [0; SOCKADDR_NL_LEN];
        address[..2].copy_from_slice(&(libc::AF_NETLINK as u16).to_ne_bytes());
        address[4..8].copy_from_slice(&connection.port.to_ne_bytes());
        address[8..].copy_from_slice(&connection.groups.to_ne_bytes());
        let room = (u32::from_ne_bytes(len) as usize).min(SOCKADDR_NL_LEN);
        if !seccomp::is_pending(listener, call) {
            return Ok(());
        }
        seccomp::write_memory(call.thread, call.arguments[1], &address[..room])?;
        seccomp::write_memory(call.thread, call.arguments[2], &(SOCKADDR_NL_LEN as u32).to_ne_bytes())?;
        Ok(())
    };
    let mut write = write;
    let errno = write().map_or(libc::EFAULT, |()| 0);
    seccomp::answer(listener, call, errno)
}

/// `bind` of any other socket: one to the port of ESP in UDP must join the engine's group.
fn share_port(listener: BorrowedFd<'_>, call: &Notification, port: u16) -> io::Result<()> {
    let mut address = [0; size_of::<u32>()];
    if seccomp::read_memory(call.thread, call.arguments[1], &mut address)? != address.len() {
        return Ok(());
    }
    let family = i32::from(u16::from_ne_bytes([address[0], address[1]]));
    let wanted = u16::from_be_bytes([address[2], address[3]]);
    if !matches!(family, libc::AF_INET | libc::AF_INET6) || wanted != port {
        return Ok(());
    }
    let socket = seccomp::duplicate_descriptor(process_of(call.thread)?, call.arguments[0] as i32)?;
    // Else the caller was killed, and the socket may be another's.
    if !seccomp::is_pending(listener, call) {
        return Ok(());
    }
    socket::allow_sharing(socket.as_fd())
}

/// A socket policy: one that lets everything out exempts what the socket sends.
fn exempt(listener: BorrowedFd<'_>, call: &Notification) -> io::Result<()> {
    /// Where `struct xfrm_userpolicy_info` has direction and action.
    const DIRECTION: usize = 160;
    let mut policy = [0; DIRECTION + 2];
    let read = seccomp::read_memory(call.thread, call.arguments[3], &mut policy)?;
    let lets_out = policy[DIRECTION..] == [XFRM_POLICY_OUT, XFRM_POLICY_ALLOW];
    if read < policy.len() || (call.arguments[4] as usize) < policy.len() || !lets_out {
        return Ok(());
    }
    let socket = seccomp::duplicate_descriptor(process_of(call.thread)?, call.arguments[0] as i32)?;
    // Else the caller was killed, and the socket may be another's.
    if seccomp::is_pending(listener, call) && !socket::bypass_policies(socket.as_fd())? {
        tracing::warn!(
            "the IKE daemon's socket has a mark of its own: a policy that covers its peers would lead its packets into the tunnel"
        );
    }
    Ok(())
}
