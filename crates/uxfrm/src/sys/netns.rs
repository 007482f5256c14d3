//! Running something in another network namespace.

use super::{check, owned};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

/// Runs `work` on a thread of its own in the namespace that `netns` is open on; the caller's namespace never changes.
///
/// # Errors
/// Of `setns`, and of `work`.
pub fn run_in<T: Send>(netns: BorrowedFd<'_>, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // SAFETY: no pointers; only this thread's namespace changes.
            check(unsafe { libc::setns(netns.as_raw_fd(), libc::CLONE_NEWNET) })?;
            work()
        });
        thread.join().unwrap_or_else(|_| Err(io::Error::other("thread in network namespace panicked")))
    })
}

/// A new namespace, with nobody and nothing in it. It goes when the descriptor and what was made there have gone.
///
/// # Errors
/// Of `unshare`, which takes CAP_SYS_ADMIN.
pub fn empty() -> io::Result<OwnedFd> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // SAFETY: no pointers; only this thread's namespace changes.
            check(unsafe { libc::unshare(libc::CLONE_NEWNET) })?;
            let flags = libc::O_RDONLY | libc::O_CLOEXEC;
            // SAFETY: a C string.
            owned(unsafe { libc::open(c"/proc/thread-self/ns/net".as_ptr(), flags) })
        });
        thread.join().unwrap_or_else(|_| Err(io::Error::other("thread in network namespace panicked")))
    })
}
