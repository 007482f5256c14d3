//! seccomp user notification (seccomp_unotify(2)): which system calls of the IKE daemon are intercepted, and how they are
//! answered.

use super::{check, check_len, owned};
use crate::xfrm::constants::NETLINK_XFRM;
use std::io;
use std::mem::{offset_of, size_of, zeroed};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

#[cfg(target_arch = "x86_64")]
const AUDIT_ARCH: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const AUDIT_ARCH: u32 = 0xc000_00b7;

const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const JUMP_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const RETURN: u16 = 0x06; // BPF_RET | BPF_K
const ALLOW: u32 = 0x7fff_0000;
const NOTIFY: u32 = 0x7fc0_0000;
/// `SECCOMP_RET_ERRNO` with 0: the call succeeds without being made.
const SUCCEED: u32 = 0x0005_0000;

/// `setsockopt(SOL_UDP, UDP_ENCAP)` must do nothing: it would make the kernel take ESP away.
const SWALLOWED: (i32, i32) = (libc::SOL_UDP, 100);
/// The socket policies of the kernel's own IPsec (`IP_XFRM_POLICY`, `IPV6_XFRM_POLICY`), by which an IKE daemon exempts its own
/// packets: level and option.
pub const SOCKET_POLICIES: [(i32, i32); 2] = [(libc::IPPROTO_IP, 17), (libc::IPPROTO_IPV6, 35)];

const fn argument(index: usize) -> u32 {
    // The low half of a 64-bit argument; both supported architectures are little-endian.
    (offset_of!(libc::seccomp_data, args) + index * 8) as u32
}

/// Builds the filter. Everything not named here is allowed.
fn program() -> Vec<libc::sock_filter> {
    let load = |k| libc::sock_filter { code: LOAD, jt: 0, jf: 0, k };
    let give = |k| libc::sock_filter { code: RETURN, jt: 0, jf: 0, k };
    // Skips `n` instructions unless the loaded word equals `k`.
    let unless = |k, n| libc::sock_filter { code: JUMP_EQUAL, jt: 0, jf: n, k };
    let number = offset_of!(libc::seccomp_data, nr) as u32;
    let mut code = vec![load(offset_of!(libc::seccomp_data, arch) as u32), unless(AUDIT_ARCH, 1)];
    code.extend([libc::sock_filter { code: 0x05, jt: 0, jf: 0, k: 1 }, give(ALLOW)]);
    // socket(AF_NETLINK, any, NETLINK_XFRM)
    code.extend([load(number), unless(libc::SYS_socket as u32, 6)]);
    code.extend([load(argument(0)), unless(libc::AF_NETLINK as u32, 3)]);
    code.extend([load(argument(2)), unless(NETLINK_XFRM as u32, 1), give(NOTIFY), give(ALLOW)]);
    for call in [libc::SYS_bind, libc::SYS_getsockname] {
        code.extend([load(number), unless(call as u32, 1), give(NOTIFY)]);
    }
    let options = [(SWALLOWED, SUCCEED), (SOCKET_POLICIES[0], NOTIFY), (SOCKET_POLICIES[1], NOTIFY)];
    for ((level, option), action) in options {
        code.extend([load(number), unless(libc::SYS_setsockopt as u32, 5)]);
        code.extend([load(argument(1)), unless(level as u32, 3)]);
        code.extend([load(argument(2)), unless(option as u32, 1), give(action)]);
    }
    code.push(give(ALLOW));
    code
}

/// A filter that is ready to be installed between fork and exec.
pub struct Filter {
    program: Vec<libc::sock_filter>,
}

impl Filter {
    pub fn new() -> Self {
        Self { program: program() }
    }

    /// Installs the filter on this thread and returns the listener. Allocates nothing.
    ///
    /// # Errors
    /// `EACCES` without CAP_SYS_ADMIN, `EBUSY` under another listener, `EINVAL` or `ENOSYS` where the kernel has none.
    pub fn install(&self) -> io::Result<OwnedFd> {
        let program =
            libc::sock_fprog { len: self.program.len() as u16, filter: self.program.as_ptr().cast_mut() };
        const SET_MODE_FILTER: libc::c_long = 1;
        // Signals wait while the supervisor answers, so that a half-done answer is never repeated (Linux 5.19).
        let listener = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
        for flags in [listener | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, listener] {
            // SAFETY: a program of `len` instructions, copied by the kernel.
            let fd = unsafe { libc::syscall(libc::SYS_seccomp, SET_MODE_FILTER, flags, &program) };
            if fd >= 0 {
                // SAFETY: a new descriptor that only we know.
                return Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) });
            }
        }
        Err(io::Error::last_os_error())
    }
}

impl Default for Filter {
    fn default() -> Self {
        Self::new()
    }
}

/// An intercepted call that waits for its answer.
#[derive(Debug, Clone, Copy)]
pub struct Notification {
    id: u64,
    /// The calling thread, in this process's PID namespace.
    pub thread: u32,
    pub number: i64,
    pub arguments: [u64; 6],
}

/// Takes the next notification. `Ok(None)` where the caller died meanwhile.
pub fn receive(listener: BorrowedFd<'_>) -> io::Result<Option<Notification>> {
    // SAFETY: all-zero is a valid seccomp_notif, which the kernel demands.
    let mut raw: libc::seccomp_notif = unsafe { zeroed() };
    // SAFETY: the structure that this ioctl fills.
    match check(unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &mut raw) }) {
        Ok(_) => Ok(Some(Notification {
            id: raw.id,
            thread: raw.pid,
            number: raw.data.nr.into(),
            arguments: raw.data.args,
        })),
        Err(e) if matches!(e.raw_os_error(), Some(libc::ENOENT | libc::EINTR)) => Ok(None),
        Err(e) => Err(e),
    }
}

fn respond(listener: BorrowedFd<'_>, notification: &Notification, error: i32, flags: u32) -> io::Result<()> {
    let response = libc::seccomp_notif_resp { id: notification.id, val: 0, error: -error, flags };
    // SAFETY: the structure that this ioctl reads.
    match check(unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &response) }) {
        // The caller was killed: nobody waits for the answer.
        Err(e) if e.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        other => other.map(|_| ()),
    }
}

/// Lets the kernel make the call.
pub fn proceed(listener: BorrowedFd<'_>, notification: &Notification) -> io::Result<()> {
    respond(listener, notification, 0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32)
}

/// Answers with 0 or an `errno`.
pub fn answer(listener: BorrowedFd<'_>, notification: &Notification, errno: i32) -> io::Result<()> {
    respond(listener, notification, errno, 0)
}

/// Answers with a descriptor that is put into the caller's table.
pub fn answer_with_descriptor(
    listener: BorrowedFd<'_>,
    notification: &Notification,
    fd: BorrowedFd<'_>,
    close_on_exec: bool,
) -> io::Result<()> {
    let add = libc::seccomp_notif_addfd {
        id: notification.id,
        flags: libc::SECCOMP_ADDFD_FLAG_SEND as u32,
        srcfd: fd.as_raw_fd() as u32,
        newfd: 0,
        newfd_flags: if close_on_exec { libc::O_CLOEXEC as u32 } else { 0 },
    };
    // SAFETY: the structure that this ioctl reads.
    check(unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ADDFD, &add) }).map(|_| ())
}

/// Whether the call still waits: what was read from the caller's memory before is then that caller's.
pub fn is_pending(listener: BorrowedFd<'_>, notification: &Notification) -> bool {
    // SAFETY: the ioctl reads one u64.
    unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &notification.id) == 0 }
}

/// Reads the caller's memory.
pub fn read_memory(thread: u32, address: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let local = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let remote = libc::iovec { iov_base: address as *mut _, iov_len: buffer.len() };
    // SAFETY: the local buffer is writable for its length; the remote address is only used in the other process.
    check_len(unsafe { libc::process_vm_readv(thread as i32, &local, 1, &remote, 1, 0) })
}

/// Writes the caller's memory.
pub fn write_memory(thread: u32, address: u64, bytes: &[u8]) -> io::Result<usize> {
    let local = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let remote = libc::iovec { iov_base: address as *mut _, iov_len: bytes.len() };
    // SAFETY: the local buffer is readable for its length; the remote address is only used in the other process.
    check_len(unsafe { libc::process_vm_writev(thread as i32, &local, 1, &remote, 1, 0) })
}

/// A duplicate of the caller's descriptor.
pub fn duplicate_descriptor(process: u32, fd: i32) -> io::Result<OwnedFd> {
    let pidfd = super::process_fd(process)?;
    // SAFETY: no pointers.
    owned(unsafe { libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_raw_fd(), fd, 0) as i32 })
}

const _: () = assert!(size_of::<libc::seccomp_data>() == 64);
