//! Inbound policies without an `if_id` hold for all packets that are for this host itself, by whatever interface they come. The
//! kernel's IPsec looks at them behind the routing; here that is a table of nftables (`nft list table inet uxfrm`): what such a
//! policy protects and has not come out of the tunnel is lost.
//!
//! What is forwarded is not looked at here ([`super::policy_routing`]).

mod expressions;
mod table;

use super::policy_change::{PolicyChange, changes, key_of};
use crate::database::policies::PolicyKey;
use crate::xfrm::constants::XFRM_POLICY_IN;
use crate::xfrm::policy::PolicyRequest;
use expressions::{Expressions, Verdict};
use std::collections::HashMap;
use std::io;
use table::{Table, UNPROTECTED};

/// Policies whose table is replaced in a few milliseconds.
const LARGE: usize = 100;

struct Entry {
    /// Smaller goes first: priority, then age.
    rank: (u32, u64),
    passes: bool,
}

/// The inbound policies, and the table that enforces them.
pub(super) struct InboundPolicies {
    table: Table,
    entries: HashMap<PolicyKey, Entry>,
    next_place: u64,
    /// The table is not what the policies are.
    changed: bool,
}

impl InboundPolicies {
    /// To be called in the engine's namespace. `interface` is where packets come out of the tunnels.
    pub fn new(interface: String) -> Self {
        Self { table: Table::new(interface), entries: HashMap::new(), next_place: 0, changed: false }
    }

    /// Removes what a broker that was killed has left: before the first policy comes.
    pub fn clean(&mut self) {
        // Where the kernel has no such tables there is nothing.
        let _ = self.table.remove();
    }

    /// The engine has done what was requested: [`InboundPolicies::refresh`] does the rest.
    pub fn accepted(&mut self, request: &[u8]) {
        for change in changes(request) {
            match change {
                PolicyChange::Put(policy, _) => self.put(&policy),
                PolicyChange::Removed(key) => self.remove(key),
                PolicyChange::AllRemoved => {
                    self.changed |= !self.entries.is_empty();
                    self.entries.clear();
                }
            }
        }
    }

    /// A policy has come to the end of its lifetime.
    pub fn expired(&mut self, key: PolicyKey) {
        self.remove(key);
    }

    /// Whether the table is what the policies are.
    pub fn is_enforced(&self) -> bool {
        !self.changed
    }

    /// Whether the table is so large that one change after the other would hold everybody up.
    pub fn is_large(&self) -> bool {
        self.entries.len() > LARGE
    }

    /// Makes the table what the policies are, if it is not.
    ///
    /// # Errors
    /// Of netfilter: to be called again.
    pub fn refresh(&mut self) -> io::Result<()> {
        if self.is_enforced() {
            return Ok(());
        }
        if self.entries.is_empty() {
            self.table.remove()?;
        } else {
            self.table.replace(&self.rules())?;
        }
        self.changed = false;
        Ok(())
    }

    /// Removes everything, for a broker that ends.
    pub fn end(&mut self) {
        if !self.entries.is_empty()
            && let Err(error) = self.table.remove()
        {
            tracing::warn!(%error, "the table of inbound policies stays");
        }
    }

    fn put(&mut self, policy: &PolicyRequest) {
        let info = &policy.info;
        if policy.if_id != 0 || info.direction != XFRM_POLICY_IN {
            return;
        }
        let key = key_of(policy);
        let place = self.entries.get(&key).map(|entry| entry.rank.1).unwrap_or_else(|| {
            self.next_place += 1;
            self.next_place
        });
        self.entries.insert(key, Entry { rank: (info.priority, place), passes: policy.lets_pass() });
        self.changed = true;
    }

    fn remove(&mut self, key: PolicyKey) {
        self.changed |= self.entries.remove(&key).is_some();
    }

    /// In the order in which policies are looked at: the first that selects a packet decides.
    fn rules(&self) -> Vec<Vec<u8>> {
        let mut entries: Vec<_> = self.entries.iter().collect();
        entries.sort_by_key(|(_, entry)| entry.rank);
        let rule = |(key, entry): (&PolicyKey, &Entry)| {
            let verdict = if entry.passes { Verdict::Accept } else { Verdict::Jump(UNPROTECTED) };
            Some(Expressions::new().selected(&key.selector, !entry.passes)?.end(verdict))
        };
        entries.into_iter().filter_map(rule).collect()
    }
}
