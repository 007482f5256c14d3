//! Waiting for packets on a few descriptors.
//!
//! epoll keeps a callback on every descriptor for good: each packet that the kernel enqueues or frees then takes a lock and
//! looks at the epoll set, even while the thread is busy and will find the packet anyway. `poll` has callbacks only while
//! it sleeps, but asks every descriptor before it sleeps and again when it wakes: what has not been asked for milliseconds is in
//! no cache by then. So those that are ready again and again are polled, and all others wait in one epoll set, which is
//! polled with them.

use super::check;
use super::epoll::Epoll;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

/// Most descriptors that are polled one by one.
const MAX_BUSY: usize = 16;
/// What is ready twice within so many turns is busy.
const SOON: u64 = 64;
/// What is not ready for so many turns is quiet.
const LATE: u64 = 1024;

struct Watched {
    fd: RawFd,
    token: u64,
    /// The turn in which it was ready last.
    last: u64,
}

/// The descriptors of one thread. They must stay open while they are watched.
pub struct Waiter {
    busy: Vec<Watched>,
    quiet: Vec<Watched>,
    /// Watches those that are quiet.
    set: Epoll,
    /// Counts waits that something was ready after.
    turn: u64,
}

fn input(fd: RawFd) -> libc::pollfd {
    libc::pollfd { fd, events: libc::POLLIN, revents: 0 }
}

impl Waiter {
    /// Without descriptors.
    ///
    /// # Errors
    /// Of epoll.
    pub fn new() -> io::Result<Self> {
        Ok(Self { busy: Vec::with_capacity(MAX_BUSY), quiet: Vec::new(), set: Epoll::new()?, turn: SOON + 1 })
    }

    /// Watches for input.
    ///
    /// # Errors
    /// Of epoll.
    pub fn add(&mut self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        self.set.add(fd, token)?;
        self.quiet.push(Watched { fd: fd.as_raw_fd(), token, last: 0 });
        Ok(())
    }

    /// Stops watching.
    pub fn remove(&mut self, fd: BorrowedFd<'_>) {
        let raw = fd.as_raw_fd();
        self.busy.retain(|watched| watched.fd != raw);
        let before = self.quiet.len();
        self.quiet.retain(|watched| watched.fd != raw);
        if self.quiet.len() < before {
            self.set.remove(fd);
        }
    }

    /// Waits, `None` for ever, and fills `ready` with the tokens that are; with none after the timeout or a signal.
    ///
    /// # Errors
    /// Of poll or epoll.
    pub fn wait(&mut self, timeout: Option<Duration>, ready: &mut Vec<u64>) -> io::Result<()> {
        ready.clear();
        let mut fds = [input(-1); MAX_BUSY + 1];
        let (set, busy) = fds.split_at_mut(1);
        set[0].fd = self.set.as_fd().as_raw_fd();
        busy.iter_mut().zip(&self.busy).for_each(|(slot, watched)| slot.fd = watched.fd);
        let timeout = timeout.map_or(-1, |t| t.as_millis().min(i32::MAX as u128) as i32);
        let count = self.busy.len() as libc::nfds_t + 1;
        // SAFETY: as many initialised entries as are said; there is room for all, as `promote` keeps to the limit.
        match check(unsafe { libc::poll(fds.as_mut_ptr(), count, timeout) }) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Ok(0) => return Ok(()),
            other => other?,
        };
        self.turn += 1;
        for (slot, watched) in fds[1..].iter().zip(&mut self.busy) {
            if slot.revents != 0 {
                watched.last = self.turn;
                ready.push(watched.token);
            }
        }
        if fds[0].revents != 0 {
            for event in self.set.wait(Some(Duration::ZERO))? {
                ready.push(event.token);
                self.quiet_one_is_ready(event.token);
            }
        }
        if self.turn.is_multiple_of(LATE) {
            self.demote(|watched, turn| turn - watched.last > LATE);
        }
        Ok(())
    }

    fn quiet_one_is_ready(&mut self, token: u64) {
        let Some(index) = self.quiet.iter().position(|watched| watched.token == token) else { return };
        let last = std::mem::replace(&mut self.quiet[index].last, self.turn);
        if self.turn - last > SOON {
            return;
        }
        if self.busy.len() == MAX_BUSY {
            self.demote(|watched, turn| turn - watched.last > SOON);
        }
        if self.busy.len() < MAX_BUSY {
            let watched = self.quiet.swap_remove(index);
            self.set.remove(borrowed(&watched));
            self.busy.push(watched);
        }
    }

    /// Moves those that `is_late` says into the epoll set; whom it does not take stays.
    fn demote(&mut self, is_late: impl Fn(&Watched, u64) -> bool) {
        for index in (0..self.busy.len()).rev() {
            let watched = &self.busy[index];
            if is_late(watched, self.turn) && self.set.add(borrowed(watched), watched.token).is_ok() {
                self.quiet.push(self.busy.swap_remove(index));
            }
        }
    }
}

fn borrowed(watched: &Watched) -> BorrowedFd<'_> {
    // SAFETY: descriptors stay open while they are watched, as `Waiter` asks; the borrow ends with the call that it is made for.
    unsafe { BorrowedFd::borrow_raw(watched.fd) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::{clear, event_fd, signal};
    use std::os::fd::OwnedFd;

    const NOW: Option<Duration> = Some(Duration::ZERO);

    fn watched(count: u64) -> (Waiter, Vec<OwnedFd>) {
        let mut waiter = Waiter::new().unwrap();
        let events: Vec<OwnedFd> = (0..count).map(|_| event_fd().unwrap()).collect();
        for (token, event) in (0..).zip(&events) {
            waiter.add(event.as_fd(), token).unwrap();
        }
        (waiter, events)
    }

    /// Signals some, and takes what is ready.
    fn turn(waiter: &mut Waiter, events: &[OwnedFd], which: &[usize]) -> Vec<u64> {
        which.iter().for_each(|index| signal(&events[*index]));
        let mut ready = Vec::new();
        waiter.wait(NOW, &mut ready).unwrap();
        for index in which {
            clear(&events[*index]);
        }
        ready.sort_unstable();
        ready
    }

    #[test]
    fn all_are_told_once_whether_busy_or_quiet() {
        let (mut waiter, events) = watched(40);
        assert!(turn(&mut waiter, &events, &[]).is_empty());
        for round in 0..300usize {
            // One always, one often, the others in turn, and now and then as many as one look tells of.
            let mut which = vec![0, round % 3 + 1, round % 30 + 10];
            if round % 50 == 7 {
                which.extend(4..10);
            }
            let mut wanted: Vec<u64> = which.iter().map(|index| *index as u64).collect();
            wanted.sort_unstable();
            assert_eq!(turn(&mut waiter, &events, &which), wanted, "round {round}");
        }
        assert!(turn(&mut waiter, &events, &[]).is_empty(), "nothing stays ready");
        assert!(waiter.busy.len() <= MAX_BUSY);
        assert_eq!(waiter.busy.len() + waiter.quiet.len(), 40);
    }

    #[test]
    fn what_is_ready_again_soon_is_polled_and_put_back_later() {
        let (mut waiter, events) = watched(3);
        turn(&mut waiter, &events, &[1]);
        assert!(waiter.busy.is_empty(), "once is no habit");
        turn(&mut waiter, &events, &[1]);
        assert_eq!(waiter.busy.len(), 1);
        (0..2 * LATE).for_each(|_| drop(turn(&mut waiter, &events, &[2])));
        let tokens: Vec<u64> = waiter.busy.iter().map(|watched| watched.token).collect();
        assert_eq!(tokens, [2], "the other is quiet again");
        assert_eq!(turn(&mut waiter, &events, &[1, 2]), [1, 2]);
    }

    #[test]
    fn those_that_are_busy_keep_their_places() {
        let (mut waiter, events) = watched(MAX_BUSY as u64 + 4);
        for round in 0..400 {
            // More than there are places, one after the other; the first each time.
            turn(&mut waiter, &events, &[0, 1 + round % (MAX_BUSY + 3)]);
        }
        assert_eq!(waiter.busy.len(), MAX_BUSY);
        assert!(waiter.busy.iter().any(|watched| watched.token == 0));
    }

    #[test]
    fn nothing_is_told_of_what_is_not_watched_any_more() {
        let (mut waiter, events) = watched(2);
        (0..3).for_each(|_| drop(turn(&mut waiter, &events, &[0])));
        waiter.remove(events[0].as_fd());
        waiter.remove(events[1].as_fd());
        assert!(turn(&mut waiter, &events, &[0, 1]).is_empty());
        waiter.add(events[0].as_fd(), 7).unwrap();
        assert_eq!(turn(&mut waiter, &events, &[0, 1]), [7]);
    }
}
