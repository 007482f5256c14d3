//! The engine's process.

use super::BrokerConfig;
use crate::engine::ENGINE_NAME;
use crate::engine::link::{self, Kind};
use crate::sys::{check, message};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// A running engine. Dropping it kills the process.
pub struct Engine {
    child: Child,
    pub link: OwnedFd,
    /// It has bound its sockets and serves requests.
    pub ready: bool,
}

impl Engine {
    /// Starts this program's own file again as an engine (see [`crate::engine::child_entry`]) and hands over what an
    /// earlier one left.
    ///
    /// # Errors
    /// Of fork, exec and of the link.
    pub fn start(config: &BrokerConfig, kept: &BTreeMap<String, OwnedFd>) -> io::Result<Self> {
        let (link, theirs) = message::pair()?;
        let netns = config.netns.as_ref().map(|fd| fd.try_clone()).transpose()?;
        let fd = theirs.as_raw_fd();
        let mut command = Command::new("/proc/self/exe");
        command.arg0(ENGINE_NAME).arg(fd.to_string()).args(config.engine.to_arguments());
        // One heap for all threads: they allocate next to nothing.
        command.env("MALLOC_ARENA_MAX", "1").stdin(Stdio::null());
        let prepare = move || {
            // SAFETY: system calls without pointers: the descriptor stays open over exec, the namespace is entered, and
            // the engine dies with the broker even where it cannot notice.
            unsafe {
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
        let this = Self { child: command.spawn()?, link, ready: false };
        drop(theirs);
        for (name, descriptor) in kept {
            link::send(this.link.as_fd(), Kind::Keep, 0, name.as_bytes(), Some(descriptor.as_fd()), true)?;
        }
        link::send(this.link.as_fd(), Kind::Ready, 0, &[], None, true)?;
        Ok(this)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Dead already is what we want.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
