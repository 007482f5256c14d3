//! Waiting for packets on a few descriptors.
//!
//! epoll keeps a callback on every descriptor for good: each packet that the kernel enqueues or frees then takes a lock and
//! looks at the epoll set, even while the thread is busy and will find the packet anyway. `poll` has callbacks only while
//! it sleeps. It costs more per call and descriptor, so beyond [`MAX_POLLED`] the descriptors go into an epoll set, and
//! that set into the poll.

use super::check;
use super::epoll::Epoll;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

/// Most descriptors that are polled one by one.
const MAX_POLLED: usize = 16;
const NESTED: u64 = u64::MAX - 1;

/// The descriptors of one thread. They must stay open while they are watched.
pub struct Waiter {
    polled: Vec<(RawFd, u64)>,
    nested: Option<Epoll>,
}

impl Waiter {
    pub fn new() -> Self {
        Self { polled: Vec::new(), nested: None }
    }

    /// Watches for input.
    ///
    /// # Errors
    /// Of epoll.
    pub fn add(&mut self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        if self.polled.len() < MAX_POLLED {
            self.polled.push((fd.as_raw_fd(), token));
            return Ok(());
        }
        if self.nested.is_none() {
            let epoll = Epoll::new()?;
            self.polled.push((epoll.as_fd().as_raw_fd(), NESTED));
            self.nested = Some(epoll);
        }
        self.nested.as_ref().map_or(Ok(()), |epoll| epoll.add(fd, token))
    }

    /// Stops watching.
    pub fn remove(&mut self, fd: BorrowedFd<'_>) {
        let before = self.polled.len();
        self.polled.retain(|(polled, _)| *polled != fd.as_raw_fd());
        if let Some(epoll) = self.nested.as_ref().filter(|_| self.polled.len() == before) {
            epoll.remove(fd);
        }
    }

    /// Waits, `None` for ever, and fills `ready` with the tokens that are; with none after the timeout or a signal.
    ///
    /// # Errors
    /// Of poll.
    pub fn wait(&self, timeout: Option<Duration>, ready: &mut Vec<u64>) -> io::Result<()> {
        let mut fds = [libc::pollfd { fd: -1, events: libc::POLLIN, revents: 0 }; MAX_POLLED + 1];
        for (slot, (fd, _)) in fds.iter_mut().zip(&self.polled) {
            slot.fd = *fd;
        }
        let timeout = timeout.map_or(-1, |t| t.as_millis().min(i32::MAX as u128) as i32);
        ready.clear();
        // SAFETY: as many initialised entries as are said; there is room for all, as `add` keeps to the limit.
        let result =
            check(unsafe { libc::poll(fds.as_mut_ptr(), self.polled.len() as libc::nfds_t, timeout) });
        match result {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other?,
        };
        for (slot, (_, token)) in fds.iter().zip(&self.polled) {
            match (&self.nested, slot.revents) {
                (_, 0) => {}
                (Some(epoll), _) if *token == NESTED => {
                    ready.extend(epoll.wait(Some(Duration::ZERO))?.map(|event| event.token));
                }
                _ => ready.push(*token),
            }
        }
        Ok(())
    }
}

impl Default for Waiter {
    fn default() -> Self {
        Self::new()
    }
}
