//! The engine's process.

use super::BrokerConfig;
use crate::engine::ENGINE_NAME;
use crate::engine::link::{self, Kind};
use crate::sys::outbox::Outbox;
use crate::sys::{check, message};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Descriptors that starting an engine takes: its link, and those of the standard library. What others ask for leaves so many.
pub const START_DESCRIPTORS: u64 = 10;
/// How long the end of an engine that was killed is waited for.
const DEATH_LIMIT: Duration = Duration::from_millis(300);
/// Bytes that may wait for the engine: a full journal several times over.
const MAX_WAITING: usize = 64 << 20;

/// A running engine. Dropping it kills the process.
pub struct Engine {
    child: Child,
    link: OwnedFd,
    outbox: Outbox,
    /// Whether epoll was told to say when there is room in the link.
    pub wants_room: bool,
    /// It has bound its sockets and serves requests.
    pub ready: bool,
}

impl Engine {
    /// Starts `program`, this one's own file or a newer one, as an engine (see [`crate::engine::child_entry`]) and hands
    /// over what an earlier one left.
    ///
    /// # Errors
    /// Of fork, exec and of the link.
    pub fn start(
        program: &Path,
        config: &BrokerConfig,
        kept: &BTreeMap<String, Arc<OwnedFd>>,
    ) -> io::Result<Self> {
        let (link, theirs) = message::pair()?;
        let netns = config.netns.as_ref().map(|fd| fd.try_clone()).transpose()?;
        let fd = theirs.as_raw_fd();
        let mut command = Command::new(program);
        command.arg0(ENGINE_NAME).args([link::VERSION, &fd.to_string()]).args(config.engine.to_arguments());
        // One heap for all threads: they allocate next to nothing.
        command.env("MALLOC_ARENA_MAX", "1").stdin(Stdio::null());
        let prepare = move || {
            // SAFETY: system calls without pointers: the descriptor stays open over exec, the namespace is entered, the
            // engine dies with the broker even where it cannot notice, and does not die before when all of a terminal's or
            // a service's processes are told to end: the daemon says goodbye to its peers then.
            unsafe {
                for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
                    libc::signal(signal, libc::SIG_IGN);
                }
                check(libc::fcntl(fd, libc::F_SETFD, 0))?;
                if let Some(netns) = &netns {
                    check(libc::setns(netns.as_raw_fd(), libc::CLONE_NEWNET))?;
                }
                check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))?;
            }
            Ok(())
        };
        // SAFETY: `prepare` makes system calls only.
        unsafe { command.pre_exec(prepare) };
        let outbox = Outbox::new(MAX_WAITING);
        let mut this = Self { child: command.spawn()?, link, outbox, wants_room: false, ready: false };
        drop(theirs);
        for (name, descriptor) in kept {
            this.outbox.send(
                this.link.as_fd(),
                &[&link::header(Kind::Keep, 0), name.as_bytes()],
                Some(descriptor),
            )?;
        }
        this.send(Kind::Ready, 0, &[])?;
        Ok(this)
    }

    /// Sends a message, now or when the engine has read what came before: this never blocks, as an engine that waits for
    /// its own answers to be read reads nothing meanwhile.
    ///
    /// # Errors
    /// `WouldBlock` where too much waits, or the engine is gone.
    pub fn send(&mut self, kind: Kind, number: u32, body: &[u8]) -> io::Result<()> {
        self.outbox.send(self.link.as_fd(), &[&link::header(kind, number), body], None)
    }

    /// Sends what waits, as far as there is room.
    pub fn flush(&mut self) {
        if let Err(error) = self.outbox.flush(self.link.as_fd()) {
            tracing::warn!(%error, "the engine does not take a message");
        }
    }

    /// Something waits for room in the link.
    pub fn is_waiting(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// The broker's end of the link.
    pub fn link(&self) -> BorrowedFd<'_> {
        self.link.as_fd()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has said something that nobody has read yet.
    pub fn has_spoken(&self) -> bool {
        let mut poll = libc::pollfd { fd: self.link.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one descriptor to be polled, which lives over the call.
        unsafe { libc::poll(&mut poll, 1, 0) == 1 }
    }

    /// Whether its control thread, which is the first, waits for the kernel: for the lock of all network configuration (RTNL),
    /// say, which whoever removes a namespace or an interface holds, on a busy machine for seconds.
    pub fn waits_for_kernel(&self) -> bool {
        std::fs::read_to_string(format!("/proc/{}/stat", self.pid()))
            .is_ok_and(|stat| is_uninterruptible(&stat))
    }
}

/// Whether a process waits in the kernel for something that no signal ends, by its `/proc/PID/stat`.
fn is_uninterruptible(stat: &str) -> bool {
    // Behind the name, which may have any character.
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('D'))
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Dead already is what we want.
        let _ = self.child.kill();
        let start = Instant::now();
        while start.elapsed() < DEATH_LIMIT {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        // A thread of it that hangs in the kernel must not hold up the next engine.
        let pid = self.child.id() as i32;
        let reaper = std::thread::Builder::new().name("uxfrm-reaper".into()).stack_size(64 * 1024);
        let reap = move || {
            // SAFETY: no pointers but null; the process is our child, and nobody else waits for it.
            unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) };
        };
        if let Err(error) = reaper.spawn(reap) {
            tracing::warn!(%error, pid, "nobody waits for the end of an engine");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_uninterruptible;

    #[test]
    fn a_wait_that_no_signal_ends_is_told_apart() {
        assert!(is_uninterruptible("7 (uxfrm-engine) D 1 7 7 0"));
        assert!(is_uninterruptible("7 (a) S b) D 1 7 7 0"));
        for stat in ["7 (uxfrm-engine) S 1", "7 (D) R 1", "7 (a) D b) T 1", ""] {
            assert!(!is_uninterruptible(stat), "{stat}");
        }
    }
}
