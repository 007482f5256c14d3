//! Thin, safe wrappers of the system calls that the standard library does not have.

pub mod addresses;
pub mod epoll;
pub mod message;
pub mod netlink;
pub mod netlink_pair;
pub mod netns;
pub mod outbox;
pub mod path_socket;
pub mod random;
pub mod receive;
pub mod region;
pub mod rtnetlink;
pub mod run_delay;
pub mod seccomp;
pub mod socket;
pub mod tun;
pub mod wait;

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// The error of the last system call where `result` is negative.
pub(crate) fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// As [`check`] for calls that return a length.
pub(crate) fn check_len(result: libc::ssize_t) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// Takes ownership of a descriptor that a system call has just returned.
pub(crate) fn owned(result: libc::c_int) -> io::Result<OwnedFd> {
    let fd: RawFd = check(result)?;
    // SAFETY: the kernel has just given us this descriptor and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// An error that names the file it is about.
pub(crate) fn with_path(error: io::Error, path: &std::path::Path) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// An event counter to wake another thread's epoll.
pub fn event_fd() -> io::Result<OwnedFd> {
    // SAFETY: no pointers.
    owned(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })
}

/// A descriptor of a process, readable once it has ended.
pub fn process_fd(process: u32) -> io::Result<OwnedFd> {
    // SAFETY: no pointers.
    owned(unsafe { libc::syscall(libc::SYS_pidfd_open, process as i32, 0) as i32 })
}

/// How many descriptors this process may have open.
///
/// # Errors
/// Of getrlimit.
pub fn descriptor_limit() -> io::Result<libc::rlimit> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is writable.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) })?;
    Ok(limit)
}

/// Whether this process may have so many descriptors more, now that it has this one.
pub fn leaves_room(fd: std::os::fd::BorrowedFd<'_>, more: u64) -> bool {
    use std::os::fd::AsRawFd;
    descriptor_limit().is_ok_and(|limit| fd.as_raw_fd() as u64 + more < limit.rlim_cur)
}

/// Sets what [`descriptor_limit`] says. Makes a system call only.
///
/// # Errors
/// Of setrlimit.
pub fn set_descriptor_limit(limit: &libc::rlimit) -> io::Result<()> {
    // SAFETY: `limit` is readable.
    check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, limit) }).map(|_| ())
}

/// Allows this process as many descriptors as it may allow itself: one for each queue of each interface. Returns what held
/// before, for programs that it starts.
///
/// # Errors
/// Of the two calls.
pub fn raise_descriptor_limit() -> io::Result<libc::rlimit> {
    let before = descriptor_limit()?;
    set_descriptor_limit(&libc::rlimit { rlim_cur: before.rlim_max, ..before })?;
    Ok(before)
}

/// Wakes whoever waits for an [`event_fd`].
pub fn signal(fd: &OwnedFd) {
    use std::os::fd::AsRawFd;
    let one = 1u64.to_ne_bytes();
    // SAFETY: eight readable bytes. A full counter (EAGAIN) wakes just as well.
    unsafe { libc::write(fd.as_raw_fd(), one.as_ptr().cast(), one.len()) };
}

/// Takes an [`event_fd`] back to zero. Whether it was signalled.
pub fn clear(fd: &OwnedFd) -> bool {
    use std::os::fd::AsRawFd;
    let mut count = [0u8; 8];
    // SAFETY: eight writable bytes; non-blocking.
    unsafe { libc::read(fd.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) > 0 }
}

/// Puts this thread before ordinary ones, as the kernel's own packet processing is. Without the privilege it stays where it is.
pub fn prefer_this_thread() {
    const NICE: libc::c_int = -10;
    // SAFETY: no pointers; 0 is the calling thread.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) };
}

/// Lets this thread's sleeps end when they should; the kernel adds up to 50 µs else.
pub fn sleep_exactly() {
    const SLACK_NS: libc::c_ulong = 1_000;
    // SAFETY: no pointers.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, SLACK_NS) };
}

/// Unix seconds, to a few milliseconds, without a system call.
pub fn unix_seconds() -> u64 {
    coarse(libc::CLOCK_REALTIME_COARSE) / 1000
}

/// Milliseconds that never go back.
pub fn monotonic_ms() -> u64 {
    coarse(libc::CLOCK_MONOTONIC)
}

fn coarse(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is writable; these clocks always exist on Linux.
    unsafe { libc::clock_gettime(clock, &mut time) };
    time.tv_sec as u64 * 1000 + time.tv_nsec as u64 / 1_000_000
}
