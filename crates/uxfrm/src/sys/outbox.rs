//! Messages that wait until the other side of a socket has room: whoever must never block sends through one of these.

use super::message;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use zeroize::Zeroizing;

struct Waiting {
    body: Zeroizing<Vec<u8>>,
    pass: Option<Arc<OwnedFd>>,
}

/// What was sent on one socket and is not yet taken, in order. Cleansed when it is, as it may hold keys.
pub struct Outbox {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    limit: usize,
}

impl Outbox {
    /// At most `limit` bytes wait.
    pub fn new(limit: usize) -> Self {
        Self { waiting: VecDeque::new(), bytes: 0, limit }
    }

    /// Sends a message behind those that wait, now or when [`Outbox::flush`] finds room.
    ///
    /// # Errors
    /// `WouldBlock` where too much waits already; of `sendmsg`, as when the other side is gone.
    pub fn send(
        &mut self,
        fd: BorrowedFd<'_>,
        parts: &[&[u8]],
        pass: Option<&Arc<OwnedFd>>,
    ) -> io::Result<()> {
        if self.waiting.is_empty() {
            match message::send(fd, parts, pass.map(|pass| pass.as_fd()), false) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
        }
        let len = parts.iter().map(|part| part.len()).sum::<usize>();
        if self.bytes + len > self.limit {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.bytes += len;
        self.waiting.push_back(Waiting { body: Zeroizing::new(parts.concat()), pass: pass.cloned() });
        Ok(())
    }

    /// Sends what there is room for.
    ///
    /// # Errors
    /// The last error of `sendmsg`; the message that met it is lost.
    pub fn flush(&mut self, fd: BorrowedFd<'_>) -> io::Result<()> {
        let mut result = Ok(());
        while let Some(first) = self.waiting.front() {
            let pass = first.pass.as_ref().map(|pass| pass.as_fd());
            match message::send(fd, &[first.body.as_slice()], pass, false) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return result,
                Err(error) => result = Err(error),
                Ok(()) => {}
            }
            self.bytes -= first.body.len();
            self.waiting.pop_front();
        }
        // What a burst has made it grow by is given back.
        self.waiting = VecDeque::new();
        result
    }

    /// Nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Bytes that wait.
    pub fn len(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_and_nothing_overtakes() {
        let (ours, theirs) = message::pair().unwrap();
        let mut outbox = Outbox::new(1 << 20);
        let pass = Arc::new(std::fs::File::open("/dev/null").unwrap().into());
        // More than a socket takes, each with its number; one passes a descriptor.
        for number in 0u32..2000 {
            let parts: [&[u8]; 2] = [&number.to_ne_bytes(), &[7; 200]];
            outbox.send(ours.as_fd(), &parts, (number == 1900).then_some(&pass)).unwrap();
        }
        assert!(!outbox.is_empty());
        let mut buffer = [0; 1024];
        for number in 0u32..2000 {
            outbox.flush(ours.as_fd()).unwrap();
            let (len, passed) = message::receive(theirs.as_fd(), &mut buffer, false).unwrap().unwrap();
            assert_eq!((len, &buffer[..4]), (204, &number.to_ne_bytes()[..]));
            assert_eq!(passed.is_some(), number == 1900);
        }
        assert_eq!((outbox.is_empty(), outbox.len()), (true, 0));
    }

    #[test]
    fn it_is_bounded() {
        let (ours, theirs) = message::pair().unwrap();
        let mut outbox = Outbox::new(10_000);
        let refused = loop {
            if let Err(error) = outbox.send(ours.as_fd(), &[&[0; 1000]], None) {
                break error;
            }
        };
        assert_eq!((refused.kind(), outbox.len()), (io::ErrorKind::WouldBlock, 10_000));
        drop(theirs);
        assert!(outbox.flush(ours.as_fd()).is_err());
        assert!(outbox.is_empty(), "nobody will take it");
    }
}
