//! What workers tell the control thread: bounded, never waiting.

use super::association::LimitReached;
use crate::sys;
use crate::xfrm::selector::Flow;
use crate::xfrm::state::SaId;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Notices that may wait; more are dropped, and their causes come again.
const MAX_WAITING: usize = 1024;

#[derive(Debug, Clone)]
pub enum Notice {
    Limit { id: SaId, limit: LimitReached },
    Mapping { id: SaId, source: IpAddr, port: u16 },
    Acquire { policy_index: u32, flow: Flow },
}

/// The workers' end.
pub struct Notifier {
    sender: SyncSender<Notice>,
    wake: OwnedFd,
}

/// The control thread's end.
pub struct Notices {
    receiver: Receiver<Notice>,
    wake: OwnedFd,
}

/// Both ends.
pub fn channel() -> std::io::Result<(Notifier, Notices)> {
    let (sender, receiver) = sync_channel(MAX_WAITING);
    let wake = sys::event_fd()?;
    Ok((Notifier { sender, wake: wake.try_clone()? }, Notices { receiver, wake }))
}

impl Notifier {
    /// Whether the notice was taken.
    pub fn send(&self, notice: Notice) -> bool {
        let taken = self.sender.try_send(notice).is_ok();
        if taken {
            sys::signal(&self.wake);
        }
        taken
    }
}

impl Notices {
    /// All that wait.
    pub fn drain(&self) -> impl Iterator<Item = Notice> + '_ {
        sys::clear(&self.wake);
        self.receiver.try_iter()
    }
}

impl AsFd for Notices {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}
