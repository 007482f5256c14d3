//! Policies without an `if_id` hold for all packets of a namespace, whatever their route. The kernel's IPsec sees all packets;
//! a tunnel interface only those that are routed into it. So for each such policy there are rules (ip-rule(8)) that lead
//! what it selects into the interface of `if_id` 0, or let it pass, or lose what is to be forwarded and has not come out of that
//! interface.
//!
//! The broker keeps them, so that they outlive engines; where the broker is killed the kernel keeps them, and nothing leaves
//! in clear. The next broker removes what it finds. What must not be led away are the packets of the tunnel itself: the
//! engine's sockets and those that the IKE daemon exempts from IPsec (`IP_XFRM_POLICY`) carry a mark.
//!
//! Preferences, in this order: marked packets; what came in (forward policies); what has a source; what has none. Within each
//! part a pass holds before the policies of higher rank only: the n-th has preference 2n + 1, and what leads away 2n after n
//! passes.

mod kernel;
mod rule;
mod tables;

use super::policy_change::{PolicyChange, changes, key_of};
use crate::database::policies::PolicyKey;
use crate::xfrm::constants::*;
use crate::xfrm::policy::PolicyRequest;
use crate::xfrm::selector::Selector;
use rule::{Action, Rule};
use std::collections::{BTreeSet, HashMap};
use std::io;
use tables::{BOUND, BOUND_TABLE, END, FORWARD, FORWARD_END, MAX_PASSES, Part, Tables, UNBOUND};

/// `RTPROT_*` of everything that is made here.
const PROTOCOL: u8 = 117;

/// Bytes of an address.
fn width(family: u16) -> usize {
    if family == AF_INET { 4 } else { 16 }
}

/// What a policy does to the packets that it selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Tunnelled or blocked.
    Protect,
    /// Left to ordinary routing.
    Pass,
}

/// Smaller goes first: priority, then age.
type Rank = (u32, u64);

#[derive(Clone)]
struct Entry {
    rank: Rank,
    class: Class,
    selector: Selector,
    direction: u8,
    rules: Vec<Rule>,
}

/// The rules of all policies without an `if_id`, and what they hang on.
pub(super) struct PolicyRouting {
    tables: Tables,
    entries: HashMap<PolicyKey, Entry>,
    /// Family, direction and rank of the passes.
    passes: BTreeSet<(u16, u8, Rank)>,
    next_place: u64,
    /// Rules of policies that the engine has not accepted yet, by request.
    held: HashMap<u32, Vec<Rule>>,
    /// Rules of policies that are gone, where their successors could not be made.
    stale: Vec<Rule>,
    /// Requests of policies in force whose rules could not all be made: until they are, those that were held stay.
    unfinished: Vec<u32>,
}

impl PolicyRouting {
    /// To be called in the engine's namespace. What a broker that was killed has left stays until [`PolicyRouting::clean`].
    ///
    /// # Errors
    /// Of the socket.
    pub fn new(interface_name: String) -> io::Result<Self> {
        Ok(Self {
            tables: Tables::new(interface_name)?,
            entries: HashMap::new(),
            passes: BTreeSet::new(),
            next_place: 0,
            held: HashMap::new(),
            stale: Vec::new(),
            unfinished: Vec::new(),
        })
    }

    /// Removes what a broker that was killed has left: before the first policy comes, and not before there is an engine. Where
    /// there never is one, what was protected stays where it is.
    pub fn clean(&mut self) {
        self.tables.kernel.clean();
    }

    /// Before the engine gets a policy: what it protects leaves in clear no longer, and the daemon hears of success only after
    /// that.
    ///
    /// # Errors
    /// Of rtnetlink: the policy must be refused.
    pub fn hold(&mut self, number: u32, request: &[u8]) -> io::Result<()> {
        for change in changes(request) {
            let PolicyChange::Put(policy, _) = change else { continue };
            if !concerns(&policy) || class(&policy) == Class::Pass {
                continue;
            }
            self.tables.use_family(policy.info.selector.family)?;
            let entry = self.entry_of(&policy);
            for rule in self.rules(&entry)? {
                self.tables.kernel.add_rule(&rule)?;
                self.held.entry(number).or_default().push(rule);
            }
        }
        Ok(())
    }

    /// The engine has answered a request, or never will.
    pub fn release(&mut self, number: u32) {
        if let Some(rules) = self.held.remove(&number) {
            self.tables.remove_rules(rules);
            self.leave_families();
        }
    }

    /// The rules of a policy could not be made ([`PolicyRouting::accepted`]): what was held for it is released when they are.
    pub fn postpone(&mut self, number: u32) {
        self.unfinished.push(number);
    }

    /// A policy has come to the end of its lifetime.
    ///
    /// # Errors
    /// Of rtnetlink.
    pub fn expired(&mut self, key: PolicyKey) -> io::Result<()> {
        if self.entries.contains_key(&key) { self.replace(key, None) } else { Ok(()) }
    }

    /// The engine has done what was requested.
    ///
    /// # Errors
    /// Of rtnetlink.
    pub fn accepted(&mut self, request: &[u8]) -> io::Result<()> {
        for change in changes(request) {
            match change {
                PolicyChange::Put(policy, _) if concerns(&policy) => {
                    self.tables.use_family(policy.info.selector.family)?;
                    let entry = self.entry_of(&policy);
                    self.replace(key_of(&policy), Some(entry))?;
                }
                PolicyChange::Put(..) => {}
                PolicyChange::Removed(key) => self.replace(key, None)?,
                PolicyChange::AllRemoved => self.clear(),
            }
        }
        Ok(())
    }

    /// Interfaces or addresses may have changed, or something could not be made before.
    ///
    /// # Errors
    /// Of rtnetlink: to be called again.
    pub fn refresh(&mut self) -> io::Result<()> {
        self.tables.refresh()?;
        if !self.tables.moved && self.unfinished.is_empty() {
            return Ok(());
        }
        // Another address may stand for packets that have no source yet.
        let all: Vec<_> = self.entries.keys().copied().collect();
        self.make(&all, Vec::new())?;
        self.tables.moved = false;
        std::mem::take(&mut self.unfinished).into_iter().for_each(|number| self.release(number));
        self.leave_families();
        Ok(())
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        self.passes.clear();
        let entries = std::mem::take(&mut self.entries);
        let of_entries = entries.into_values().flat_map(|entry| entry.rules);
        self.tables.remove_rules(of_entries.chain(std::mem::take(&mut self.stale)).collect());
        self.leave_families();
    }

    /// As [`PolicyRouting::clear`], for a broker that ends.
    pub fn end(&mut self) {
        let held = std::mem::take(&mut self.held);
        self.tables.remove_rules(held.into_values().flatten().collect());
        self.clear();
    }

    fn entry_of(&mut self, policy: &PolicyRequest) -> Entry {
        let info = &policy.info;
        let place = self.entries.get(&key_of(policy)).map(|entry| entry.rank.1).unwrap_or_else(|| {
            self.next_place += 1;
            self.next_place
        });
        Entry {
            rank: (info.priority, place),
            class: class(policy),
            selector: info.selector,
            direction: info.direction,
            rules: Vec::new(),
        }
    }

    fn rules(&mut self, entry: &Entry) -> io::Result<Vec<Rule>> {
        let (selector, is_pass) = (&entry.selector, entry.class == Class::Pass);
        let place = |rank| (selector.family, entry.direction, rank);
        let passes = self.passes.range(place((0, 0))..place(entry.rank)).count() as u32;
        if is_pass && passes >= MAX_PASSES {
            tracing::warn!(
                MAX_PASSES,
                "too many policies that let pass: what this one selects stays blocked"
            );
            return Ok(Vec::new());
        }
        let rule = |part: &Part, action, end, by_source| {
            let preference = part.first + 2 * passes.min(MAX_PASSES) + u32::from(is_pass);
            let action = if is_pass { Action::Goto(end) } else { action };
            Rule::of_selector(selector, preference, action, by_source, !is_pass)
        };
        if entry.direction == XFRM_POLICY_FWD {
            return Ok(rule(&FORWARD, Action::Blackhole, FORWARD_END, true).into_iter().collect());
        }
        let mut rules: Vec<Rule> = rule(&BOUND, Action::Table(BOUND_TABLE), END, true).into_iter().collect();
        // Without a source the selector has been widened to what has none too.
        if selector.source_prefix > 0
            && let Some(table) = self.tables.for_source_in(selector)?
        {
            rules.extend(rule(&UNBOUND, Action::Table(table), END, false));
        }
        Ok(rules)
    }

    /// Puts a policy, or nothing, in the place of another.
    fn replace(&mut self, key: PolicyKey, entry: Option<Entry>) -> io::Result<()> {
        let old = self.entries.remove(&key);
        let mut shifts = false;
        for (entry, is_new) in old.iter().map(|e| (e, false)).chain(entry.iter().map(|e| (e, true))) {
            if entry.class == Class::Pass {
                shifts = true;
                let place = (entry.selector.family, entry.direction, entry.rank);
                if is_new {
                    self.passes.insert(place)
                } else {
                    self.passes.remove(&place)
                };
            }
        }
        let mut concerned: Vec<_> = entry.as_ref().map(|_| key).into_iter().collect();
        if let Some(entry) = entry {
            self.entries.insert(key, entry);
        }
        if shifts {
            let same = |other: &&PolicyKey| {
                other.direction == key.direction && other.selector.family == key.selector.family
            };
            concerned = self.entries.keys().filter(same).copied().collect();
        }
        self.make(&concerned, old.map(|old| old.rules).unwrap_or_default())?;
        // The engine makes the interface with the first policy that needs it.
        self.tables.find_interface()?;
        self.leave_families();
        Ok(())
    }

    /// Makes the rules of some policies anew, and removes `old`. First comes what protects and last goes what protects, so that
    /// in between no more is let through than before or after.
    fn make(&mut self, concerned: &[PolicyKey], old: Vec<Rule>) -> io::Result<()> {
        // What cannot be replaced stays known, to be removed with the next change.
        self.stale.extend(old);
        let mut changes = Vec::new();
        for key in concerned {
            let Some(entry) = self.entries.get(key).cloned() else { continue };
            let rules = self.rules(&entry)?;
            changes.push((*key, entry.rules, rules));
        }
        let is_new = |(_, before, after): &(_, Vec<Rule>, Vec<Rule>)| -> Vec<Rule> {
            after.iter().filter(|rule| !before.contains(rule)).cloned().collect()
        };
        let mut new: Vec<_> = changes.iter().flat_map(is_new).collect();
        new.sort_by_key(|rule| !rule.protects());
        for (made, rule) in new.iter().enumerate() {
            if let Err(error) = self.tables.kernel.add_rule(rule) {
                self.tables.remove_rules(new[..made].to_vec());
                return Err(error);
            }
        }
        let mut old = std::mem::take(&mut self.stale);
        for (key, before, after) in changes {
            old.extend(before.into_iter().filter(|rule| !after.contains(rule)));
            if let Some(entry) = self.entries.get_mut(&key) {
                entry.rules = after;
            }
        }
        self.tables.remove_rules(old);
        Ok(())
    }

    /// Where no policy is left nothing of ours is.
    fn leave_families(&mut self) {
        for family in self.tables.families() {
            let used = self.entries.values().any(|entry| entry.selector.family == family)
                || self.held.values().flatten().any(|rule| rule.family == family);
            if !used {
                self.tables.leave_family(family);
            }
        }
    }
}

/// Whether it is a policy for packets of any interface, outwards or to be forwarded.
fn concerns(policy: &PolicyRequest) -> bool {
    policy.if_id == 0 && policy.info.direction != XFRM_POLICY_IN
}

fn class(policy: &PolicyRequest) -> Class {
    if policy.lets_pass() { Class::Pass } else { Class::Protect }
}
