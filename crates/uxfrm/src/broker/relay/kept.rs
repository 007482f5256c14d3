//! Descriptors of an engine that the next one gets.

use super::{RESERVED_DESCRIPTORS, Relay};
use crate::engine::sockets::TUN_PREFIX;
use crate::sys::{self, tun};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

impl Relay {
    /// Keeps a descriptor of the engine's for the next one, where there is room. `None` is one that this process had no
    /// room for.
    pub(super) fn keep(&mut self, name: String, descriptor: Option<OwnedFd>) {
        let fits = |fd: &OwnedFd| sys::leaves_room(fd.as_fd(), RESERVED_DESCRIPTORS);
        let Some(descriptor) = descriptor.filter(fits) else {
            let limit = sys::descriptor_limit().map_or(0, |limit| limit.rlim_cur);
            tracing::error!(
                name,
                limit,
                "too many open descriptors: this one is not kept for the next engine"
            );
            return;
        };
        if self.config.persistent_interfaces
            && name.starts_with(TUN_PREFIX)
            && let Err(error) = tun::set_persistent(descriptor.as_fd(), true)
        {
            tracing::warn!(%error, "the interface will not outlive the broker");
        }
        self.kept.insert(name, Arc::new(descriptor));
    }

    /// Lets interfaces go, by what the names of their kept queues begin with.
    pub(super) fn let_go(&mut self, prefix: &str) {
        for (_, queue) in self.kept.extract_if(.., |name, _| name.starts_with(prefix)) {
            if self.config.persistent_interfaces {
                // One that was deleted by somebody else is gone already.
                let _ = tun::set_persistent(queue.as_fd(), false);
            }
        }
    }
}
