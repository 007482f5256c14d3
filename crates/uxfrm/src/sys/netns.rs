//! Running something in another network namespace.

use super::{check, owned};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

/// Enough for a few system calls, in bytes.
const STACK_LEN: usize = 256 * 1024;

/// Runs `work` on a thread of its own in the namespace that `netns` is open on; the caller's namespace never changes.
///
/// # Errors
/// Of `setns` and `work`, and where no thread can be had.
pub fn run_in<T: Send>(netns: BorrowedFd<'_>, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    on_a_thread(|| {
        // SAFETY: no pointers; only this thread's namespace changes.
        check(unsafe { libc::setns(netns.as_raw_fd(), libc::CLONE_NEWNET) })?;
        work()
    })
}

/// A new namespace, with nobody and nothing in it. It goes when the descriptor and what was made there have gone.
///
/// # Errors
/// Of `unshare`, which takes CAP_SYS_ADMIN.
pub fn empty() -> io::Result<OwnedFd> {
    on_a_thread(|| {
        // SAFETY: no pointers; only this thread's namespace changes.
        check(unsafe { libc::unshare(libc::CLONE_NEWNET) })?;
        let flags = libc::O_RDONLY | libc::O_CLOEXEC;
        // SAFETY: a C string.
        owned(unsafe { libc::open(c"/proc/thread-self/ns/net".as_ptr(), flags) })
    })
}

/// Where there is no thread to be had (a container's limit of processes), that is an error of this call and no more.
fn on_a_thread<T: Send>(work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("uxfrm-netns".into()).stack_size(STACK_LEN);
        let thread = thread.spawn_scoped(scope, work)?;
        thread.join().unwrap_or_else(|_| Err(io::Error::other("thread in network namespace panicked")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    /// Where a container's limit of processes is reached: an error, and no panic that would end the broker.
    #[test]
    fn no_thread_is_an_error() {
        // SAFETY: no arguments, no failure.
        if unsafe { libc::geteuid() } != 0 {
            eprintln!("SKIPPED: not root");
            return;
        }
        let netns = std::fs::File::open("/proc/self/ns/net").unwrap();
        // SAFETY: the child makes system calls and small allocations, which glibc permits after fork, and ends without going back
        // into the harness.
        let status = unsafe {
            let child = libc::fork();
            if child == 0 {
                let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
                let limited = libc::setrlimit(libc::RLIMIT_NPROC, &none) == 0
                    && libc::syscall(libc::SYS_setresuid, 65534, 65534, 65534) == 0;
                std::panic::set_hook(Box::new(|_| {}));
                let result =
                    std::panic::catch_unwind(|| run_in(netns.as_fd(), || Ok(())).map_err(|e| e.kind()));
                let expected = matches!(result, Ok(Err(io::ErrorKind::WouldBlock)));
                libc::_exit(i32::from(!limited || !expected));
            }
            let mut status = 0;
            assert_eq!(libc::waitpid(child, &mut status, 0), child);
            status
        };
        assert_eq!((libc::WIFEXITED(status), libc::WEXITSTATUS(status)), (true, 0));
    }
}
