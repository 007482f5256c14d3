//! epoll with a `u64` token per descriptor.

use super::{check, owned};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// An epoll instance, level-triggered.
pub struct Epoll {
    fd: OwnedFd,
}

/// One ready descriptor.
#[derive(Debug, Clone, Copy)]
pub struct Ready {
    pub token: u64,
    pub readable: bool,
    /// There is room to send: reported only where it was asked for.
    pub writable: bool,
    /// The other side is gone.
    pub hung_up: bool,
}

/// Ready descriptors per wait.
const BATCH: usize = 32;

impl Epoll {
    pub fn new() -> io::Result<Self> {
        // SAFETY: no pointers.
        Ok(Self { fd: owned(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })? })
    }

    /// Watches for input.
    pub fn add(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: token };
        let (epoll, fd) = (self.fd.as_raw_fd(), fd.as_raw_fd());
        // SAFETY: `event` lives over the call.
        check(unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, fd, &mut event) }).map(|_| ())
    }

    /// Watches for input, for room to send, or both, from now on.
    pub fn modify(&self, fd: BorrowedFd<'_>, token: u64, input: bool, room: bool) -> io::Result<()> {
        let wanted = |yes: bool, event: libc::c_int| if yes { event as u32 } else { 0 };
        let events = wanted(input, libc::EPOLLIN) | wanted(room, libc::EPOLLOUT);
        let mut event = libc::epoll_event { events, u64: token };
        let (epoll, fd) = (self.fd.as_raw_fd(), fd.as_raw_fd());
        // SAFETY: `event` lives over the call.
        check(unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_MOD, fd, &mut event) }).map(|_| ())
    }

    /// Stops watching.
    pub fn remove(&self, fd: BorrowedFd<'_>) {
        let (epoll, fd) = (self.fd.as_raw_fd(), fd.as_raw_fd());
        // SAFETY: the event pointer is ignored for DEL.
        unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_DEL, fd, std::ptr::null_mut()) };
    }

    /// Waits; `None` for ever. A signal ends the wait: what is ready then is told, and "nothing" never means that nobody has looked
    /// (a process that was stopped comes out of its wait so).
    pub fn wait(&self, timeout: Option<Duration>) -> io::Result<impl Iterator<Item = Ready> + use<>> {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; BATCH];
        // Rounded up, so that a timer is over when the wait is.
        let mut timeout = timeout.map_or(-1, |t| t.as_micros().div_ceil(1000).min(i32::MAX as u128) as i32);
        let (epoll, room) = (self.fd.as_raw_fd(), BATCH as i32);
        let n = loop {
            // SAFETY: `events` has room for BATCH entries.
            match check(unsafe { libc::epoll_wait(epoll, events.as_mut_ptr(), room, timeout) }) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => timeout = 0,
                other => break other? as usize,
            }
        };
        Ok(events.into_iter().take(n).map(|event| Ready {
            token: event.u64,
            readable: event.events & libc::EPOLLIN as u32 != 0,
            writable: event.events & libc::EPOLLOUT as u32 != 0,
            hung_up: event.events & (libc::EPOLLHUP | libc::EPOLLERR) as u32 != 0,
        }))
    }
}

impl AsFd for Epoll {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
