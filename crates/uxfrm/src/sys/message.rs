//! Messages over Unix SEQPACKET sockets, with descriptors.

use super::{check, check_len, owned};
use std::io;
use std::mem::{MaybeUninit, size_of, zeroed};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Room for one descriptor in a control message.
const CONTROL_LEN: usize = 64;

#[repr(C, align(8))]
struct Control([u8; CONTROL_LEN]);

/// A connected pair that keeps message borders; both ends close on exec.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds = [0; 2];
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    // SAFETY: room for two descriptors.
    check(unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, fds.as_mut_ptr()) })?;
    Ok((owned(fds[0])?, owned(fds[1])?))
}

/// Takes one connection.
///
/// # Errors
/// Of accept.
pub fn accept(listener: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let null = std::ptr::null_mut();
    // SAFETY: no address is asked for.
    owned(unsafe { libc::accept4(listener.as_raw_fd(), null, std::ptr::null_mut(), libc::SOCK_CLOEXEC) })
}

/// Sends one message, with a descriptor where given. Never raises SIGPIPE.
pub fn send(fd: BorrowedFd<'_>, parts: &[&[u8]], pass: Option<BorrowedFd<'_>>, wait: bool) -> io::Result<()> {
    let iovecs: Vec<libc::iovec> = parts
        .iter()
        .map(|part| libc::iovec { iov_base: part.as_ptr().cast_mut().cast(), iov_len: part.len() })
        .collect();
    let flags = libc::MSG_NOSIGNAL | if wait { 0 } else { libc::MSG_DONTWAIT };
    send_raw(fd.as_raw_fd(), &iovecs, pass.map(|p| p.as_raw_fd()), flags)
}

/// As [`send`] for use between fork and exec: no allocation.
pub fn send_raw(
    fd: RawFd,
    iovecs: &[libc::iovec],
    pass: Option<RawFd>,
    flags: libc::c_int,
) -> io::Result<()> {
    let mut control = Control([0; CONTROL_LEN]);
    // SAFETY: all-zero is a valid msghdr.
    let mut header: libc::msghdr = unsafe { zeroed() };
    header.msg_iov = iovecs.as_ptr().cast_mut();
    header.msg_iovlen = iovecs.len() as _;
    if let Some(pass) = pass {
        header.msg_control = control.0.as_mut_ptr().cast();
        // SAFETY: CMSG_SPACE is arithmetic; the control buffer is larger than one descriptor needs and aligned.
        unsafe {
            header.msg_controllen = libc::CMSG_SPACE(size_of::<RawFd>() as u32) as _;
            let first = libc::CMSG_FIRSTHDR(&header);
            (*first).cmsg_level = libc::SOL_SOCKET;
            (*first).cmsg_type = libc::SCM_RIGHTS;
            (*first).cmsg_len = libc::CMSG_LEN(size_of::<RawFd>() as u32) as _;
            libc::CMSG_DATA(first).cast::<RawFd>().write_unaligned(pass);
        }
    }
    // SAFETY: the header points to live buffers of the stated lengths.
    check_len(unsafe { libc::sendmsg(fd, &header, flags) }).map(|_| ())
}

/// Receives one message and at most one descriptor; more are closed. `Ok(None)` where none is there (non-blocking) and a
/// length of 0 at the end of the connection. Where this process has no room for another descriptor, the message comes
/// without it.
///
/// # Errors
/// Of `recvmsg`; `InvalidData` for a message longer than the buffer.
pub fn receive(
    fd: BorrowedFd<'_>,
    buffer: &mut [u8],
    wait: bool,
) -> io::Result<Option<(usize, Option<OwnedFd>)>> {
    let mut control = MaybeUninit::<Control>::zeroed();
    let mut iovec = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: all-zero is a valid msghdr.
    let mut header: libc::msghdr = unsafe { zeroed() };
    header.msg_iov = &mut iovec;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = CONTROL_LEN as _;
    let flags = libc::MSG_CMSG_CLOEXEC | if wait { 0 } else { libc::MSG_DONTWAIT };
    // SAFETY: the header points to live buffers of the stated lengths.
    let len = match check_len(unsafe { libc::recvmsg(fd.as_raw_fd(), &mut header, flags) }) {
        Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
            return Ok(None);
        }
        other => other?,
    };
    // SAFETY: the kernel filled `msg_controllen` bytes of the control buffer; SCM_RIGHTS carries descriptors that are
    // ours now.
    let passed = unsafe {
        let first = libc::CMSG_FIRSTHDR(&header);
        let is_fd = !first.is_null()
            && (*first).cmsg_level == libc::SOL_SOCKET
            && (*first).cmsg_type == libc::SCM_RIGHTS;
        let bytes = if is_fd { (*first).cmsg_len as usize - libc::CMSG_LEN(0) as usize } else { 0 };
        let all = (0..bytes / size_of::<RawFd>())
            .map(|i| OwnedFd::from_raw_fd(libc::CMSG_DATA(first).cast::<RawFd>().add(i).read_unaligned()));
        all.reduce(|first, _closed| first)
    };
    if header.msg_flags & libc::MSG_TRUNC != 0 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "message is longer than the buffer"));
    }
    Ok(Some((len, passed)))
}
