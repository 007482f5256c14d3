//! The addresses of this network namespace: which packets are for this host, and which are to be forwarded.

use super::socket::RawAddress;
use super::{check, check_len, owned};
use std::collections::HashSet;
use std::io;
use std::mem::{size_of, zeroed};
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

/// `RTMGRP_IPV4_IFADDR` and `RTMGRP_IPV6_IFADDR`.
const GROUPS: u32 = 0x10 | 0x100;

/// A socket that becomes readable when addresses come or go.
///
/// # Errors
/// Of `socket` and `bind`.
pub fn changes() -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: no pointers.
    let socket = owned(unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_ROUTE) })?;
    // SAFETY: all-zero is a valid sockaddr_nl.
    let mut address: libc::sockaddr_nl = unsafe { zeroed() };
    address.nl_family = libc::AF_NETLINK as u16;
    address.nl_groups = GROUPS;
    let len = size_of::<libc::sockaddr_nl>() as u32;
    // SAFETY: a valid address of the stated length.
    check(unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), len) })?;
    Ok(socket)
}

/// Takes what [`changes`] has received, so that it is readable again at the next change only.
pub fn clear(socket: BorrowedFd<'_>) {
    let mut buffer = [0u8; 4096];
    loop {
        // SAFETY: a writable buffer of the stated length.
        let result =
            check_len(unsafe { libc::recv(socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) });
        // Some were lost where too many came at once: what counts is the list that is read after this.
        let lost = result.as_ref().is_err_and(|e| e.raw_os_error() == Some(libc::ENOBUFS));
        if result.is_err() && !lost {
            return;
        }
    }
}

/// All addresses of all interfaces.
///
/// # Errors
/// Of `getifaddrs`.
pub fn all() -> io::Result<HashSet<IpAddr>> {
    let mut addresses = HashSet::new();
    let mut first = std::ptr::null_mut();
    // SAFETY: `first` is writable. The list is valid until it is freed; each address is null or of the length that its family says,
    // and only as much is copied.
    unsafe {
        check(libc::getifaddrs(&mut first))?;
        let mut next = first;
        while let Some(entry) = next.as_ref() {
            next = entry.ifa_next;
            let Some(address) = entry.ifa_addr.as_ref() else { continue };
            let len = match i32::from(address.sa_family) {
                libc::AF_INET => size_of::<libc::sockaddr_in>(),
                libc::AF_INET6 => size_of::<libc::sockaddr_in6>(),
                _ => continue,
            };
            let mut raw = RawAddress { storage: zeroed(), len: len as u32 };
            let from = entry.ifa_addr.cast::<u8>();
            std::ptr::copy_nonoverlapping(from, (&raw mut raw.storage).cast::<u8>(), len);
            addresses.extend(raw.address().map(|address| address.ip()));
        }
        libc::freeifaddrs(first);
    }
    Ok(addresses)
}
