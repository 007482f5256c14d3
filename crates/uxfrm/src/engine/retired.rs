//! Views and interfaces that the data path has put aside.

use crate::database::View;
use crate::datapath::Shared;
use crate::datapath::interface::Interface;
use std::sync::Arc;

/// How long a worker without packets may keep an old view, and with it the keys of deleted SAs, in milliseconds.
const RETIREMENT_MS: u64 = 100;

/// What workers may still use. It is freed by the control thread: not where packets wait, and not only when the next packet
/// comes. Closing a queue waits for the kernel's lock of network configuration, which others may hold for seconds.
#[derive(Default)]
pub struct Retired {
    views: Vec<Arc<View>>,
    interfaces: Vec<Arc<Interface>>,
    /// When the workers are woken that still use one, in monotonic milliseconds.
    wake: Option<u64>,
}

impl Retired {
    pub fn push(&mut self, view: Arc<View>) {
        self.views.push(view);
    }

    pub fn push_interface(&mut self, interface: Option<Arc<Interface>>) {
        self.interfaces.extend(interface);
    }

    /// Frees what nobody uses any more. Returns when to look again, if there is a need.
    pub fn free(&mut self, now: u64, shared: &Shared) -> Option<u64> {
        // Nobody else can get at what is only here: the count cannot rise again.
        self.views.retain(|view| Arc::strong_count(view) > 1);
        self.interfaces.retain(|interface| Arc::strong_count(interface) > 1);
        if self.views.is_empty() && self.interfaces.is_empty() {
            self.wake = None;
        } else if self.wake.is_none_or(|at| at <= now) {
            if self.wake.is_some() {
                shared.wake_all();
            }
            self.wake = Some(now + RETIREMENT_MS);
        }
        self.wake
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datapath::notice;
    use crate::datapath::shared::{Cached, WorkerSockets};

    fn sockets() -> WorkerSockets {
        WorkerSockets::default()
    }

    #[test]
    fn an_idle_worker_is_woken_and_never_frees_a_view() {
        let (notifier, _notices) = notice::channel().unwrap();
        let shared = Shared::new(vec![sockets()], notifier, 4500).unwrap();
        let (mut retired, mut worker) = (Retired::default(), Cached::default());
        retired.push(shared.publish(Arc::default()));
        assert_eq!(retired.free(1000, &shared), None, "nobody has seen the first");
        assert!(shared.refresh(0, &mut worker));
        let old = Arc::downgrade(&worker.picture.view);
        retired.push(shared.publish(Arc::default()));
        assert_eq!(retired.free(1000, &shared), Some(1100));
        assert_eq!(retired.free(1050, &shared), Some(1100));
        assert!(!crate::sys::clear(shared.wake(0)), "not woken yet");
        assert_eq!(retired.free(1100, &shared), Some(1200));
        assert!(crate::sys::clear(shared.wake(0)), "woken");
        assert!(shared.refresh(0, &mut worker));
        assert!(old.upgrade().is_some(), "the worker has let it go, but not freed it");
        assert_eq!(retired.free(1150, &shared), None);
        assert!(old.upgrade().is_none(), "freed here");
    }
}
