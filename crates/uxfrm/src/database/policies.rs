//! The policy database.

use super::Clock;
use crate::xfrm::lifetime::Usage;
use crate::xfrm::policy::{PolicyInfo, PolicyRequest};
use crate::xfrm::selector::Selector;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What makes a policy the same as another: the kernel's rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PolicyKey {
    pub direction: u8,
    pub if_id: u32,
    pub selector: Selector,
}

/// When a policy was last used and by how much; shared with the data path.
#[derive(Debug, Default)]
pub struct PolicyUse {
    pub bytes: AtomicU64,
    pub packets: AtomicU64,
    /// Unix seconds.
    pub last_use: AtomicU64,
    /// When an ACQUIRE was last asked for, in milliseconds of the monotonic clock.
    pub last_acquire: AtomicU64,
}

/// Least time between two ACQUIREs of a policy, in milliseconds.
const ACQUIRE_INTERVAL_MS: u64 = 1000;

impl PolicyUse {
    /// Whether it is time to ask for an SA (again).
    pub fn may_acquire(&self, monotonic: u64) -> bool {
        let last = self.last_acquire.load(Ordering::Relaxed);
        last == 0 || monotonic >= last + ACQUIRE_INTERVAL_MS
    }
}

/// One policy.
pub struct Policy {
    pub request: PolicyRequest,
    pub added: Clock,
    pub usage: Arc<PolicyUse>,
}

impl Policy {
    /// The fixed part as the kernel would show it now.
    pub fn info(&self) -> PolicyInfo {
        let mut info = self.request.info.clone();
        info.usage = Usage {
            bytes: self.usage.bytes.load(Ordering::Relaxed),
            packets: self.usage.packets.load(Ordering::Relaxed),
            add_time: self.added.wall,
            use_time: self.usage.last_use.load(Ordering::Relaxed),
        };
        info
    }

    /// Its key.
    pub fn key(&self) -> PolicyKey {
        let info = &self.request.info;
        PolicyKey { direction: info.direction, if_id: self.request.if_id, selector: info.selector }
    }
}

/// All policies by index.
#[derive(Default)]
pub struct Policies {
    pub by_index: BTreeMap<u32, Policy>,
    by_key: std::collections::HashMap<PolicyKey, u32>,
    last_index: u32,
}

impl Policies {
    /// The index of a policy.
    pub fn index_of(&self, key: &PolicyKey) -> Option<u32> {
        self.by_key.get(key).copied()
    }

    /// Inserts or replaces; a replaced policy keeps its index and counters.
    pub fn insert(&mut self, mut request: PolicyRequest, added: Clock) {
        let direction = request.info.direction;
        let key = PolicyKey { direction, if_id: request.if_id, selector: request.info.selector };
        let index = self.index_of(&key).unwrap_or_else(|| {
            // As the kernel: the low three bits are the direction.
            self.last_index += 8;
            self.last_index | u32::from(direction)
        });
        request.info.index = index;
        let usage = self.by_index.remove(&index).map(|old| old.usage).unwrap_or_default();
        self.by_index.insert(index, Policy { request, added, usage });
        self.by_key.insert(key, index);
    }

    /// Removes a policy.
    pub fn remove(&mut self, index: u32) -> Option<Policy> {
        let policy = self.by_index.remove(&index)?;
        self.by_key.remove(&policy.key());
        Some(policy)
    }

    /// Removes all.
    pub fn clear(&mut self) {
        self.by_index.clear();
        self.by_key.clear();
    }
}
