//! DF of outgoing IPv4 packets, which Linux has as an option of the socket.

use crate::sys::socket;
use std::os::fd::BorrowedFd;
use std::sync::{Mutex, PoisonError};

/// What a socket does now; nothing is known of one that an engine before this one has used.
#[derive(Default)]
pub struct DontFragment(Mutex<Option<bool>>);

impl DontFragment {
    /// Sends while `socket` sets DF, or does not. Inner packets seldom differ in it, so that the option is seldom changed.
    pub fn sending<T>(&self, socket: BorrowedFd<'_>, dont_fragment: bool, send: impl FnOnce() -> T) -> T {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *known != Some(dont_fragment) {
            // Where the option cannot be set, packets go out as the socket has it.
            *known = socket::set_dont_fragment(socket, dont_fragment).is_ok().then_some(dont_fragment);
        }
        send()
    }
}
