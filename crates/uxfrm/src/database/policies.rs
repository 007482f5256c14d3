//! The policy database.

use super::Clock;
use super::view::PolicyView;
use crate::xfrm::constants::XFRM_POLICY_OUT;
use crate::xfrm::lifetime::Usage;
use crate::xfrm::policy::{PolicyInfo, PolicyRequest};
use crate::xfrm::selector::Selector;
use std::collections::{BTreeMap, BTreeSet};
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
    /// As the data path has it.
    pub(super) published: Option<Arc<PolicyView>>,
    /// When it is to be looked at, in monotonic milliseconds.
    pub(super) timer: Option<u64>,
}

impl Policy {
    /// Where SAs are looked up for it: `if_id` and reqid of an outbound policy.
    fn asks(&self) -> Option<(u32, u32)> {
        let outbound = self.request.info.direction == XFRM_POLICY_OUT;
        let template = self.request.templates.first().filter(|_| outbound)?;
        Some((self.request.if_id, template.reqid))
    }

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
    pub(crate) by_index: BTreeMap<u32, Policy>,
    /// Outbound policies by the interface and reqid of the SA that they ask for.
    by_reqid: BTreeSet<(u32, u32, u32)>,
    by_key: std::collections::HashMap<PolicyKey, u32>,
    last_index: u32,
    timers: BTreeSet<(u64, u32)>,
}

impl Policies {
    /// The index of a policy.
    pub fn index_of(&self, key: &PolicyKey) -> Option<u32> {
        self.by_key.get(key).copied()
    }

    pub fn len(&self) -> usize {
        self.by_index.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_index.is_empty()
    }

    /// The index of the policy that a request replaces, or a new one.
    pub(super) fn index_for(&mut self, request: &PolicyRequest) -> u32 {
        let direction = request.info.direction;
        let key = PolicyKey { direction, if_id: request.if_id, selector: request.info.selector };
        self.index_of(&key).unwrap_or_else(|| {
            loop {
                // As the kernel: the low three bits are the direction, and the others go round.
                self.last_index = self.last_index.wrapping_add(8);
                let index = self.last_index | u32::from(direction);
                if self.last_index != 0 && !self.by_index.contains_key(&index) {
                    return index;
                }
            }
        })
    }

    /// Inserts a policy, which is not there yet.
    pub(super) fn insert(
        &mut self,
        index: u32,
        mut request: PolicyRequest,
        added: Clock,
        usage: Arc<PolicyUse>,
    ) {
        request.info.index = index;
        let policy = Policy { request, added, usage, published: None, timer: None };
        self.by_key.insert(policy.key(), index);
        self.by_reqid.extend(policy.asks().map(|(if_id, reqid)| (if_id, reqid, index)));
        self.by_index.insert(index, policy);
    }

    /// Removes a policy.
    pub(super) fn remove(&mut self, index: u32) -> Option<Policy> {
        self.schedule(index, None);
        let policy = self.by_index.remove(&index)?;
        self.by_key.remove(&policy.key());
        if let Some((if_id, reqid)) = policy.asks() {
            self.by_reqid.remove(&(if_id, reqid, index));
        }
        Some(policy)
    }

    /// Sets when a policy is to be looked at, in monotonic milliseconds.
    pub(super) fn schedule(&mut self, index: u32, at: Option<u64>) {
        let Some(policy) = self.by_index.get_mut(&index) else { return };
        if let Some(before) = std::mem::replace(&mut policy.timer, at) {
            self.timers.remove(&(before, index));
        }
        self.timers.extend(at.map(|at| (at, index)));
    }

    /// The first policy that is to be looked at by now.
    pub(super) fn due(&self, monotonic: u64) -> Option<u32> {
        self.timers.first().filter(|(at, _)| *at <= monotonic).map(|(_, index)| *index)
    }

    /// When the next is to be looked at.
    pub(super) fn next_timer(&self) -> Option<u64> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// The outbound policies that ask for SAs of an interface and a reqid.
    pub(super) fn asking(&self, if_id: u32, reqid: u32) -> Vec<u32> {
        let all = (if_id, reqid, 0)..=(if_id, reqid, u32::MAX);
        self.by_reqid.range(all).map(|(_, _, index)| *index).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::tests::NOW;
    use crate::xfrm::selector::Selector;

    #[test]
    fn indices_go_round_and_none_is_given_twice() {
        let mut policies = Policies::default();
        let add = |policies: &mut Policies, source_prefix| {
            let selector = Selector { family: 2, source_prefix, ..Selector::default() };
            let info = PolicyInfo { selector, direction: XFRM_POLICY_OUT, ..PolicyInfo::default() };
            let request = PolicyRequest { info, templates: Vec::new(), if_id: 42 };
            let index = policies.index_for(&request);
            assert!(!policies.by_index.contains_key(&index));
            policies.insert(index, request, NOW, Arc::default());
            index
        };
        assert_eq!(add(&mut policies, 1), 9);
        policies.last_index = u32::MAX - 15;
        assert_eq!([2, 3].map(|prefix| add(&mut policies, prefix)), [u32::MAX - 6, 17]);
        assert_eq!(policies.len(), 3);
    }
}
