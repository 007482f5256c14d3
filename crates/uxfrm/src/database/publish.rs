//! Keeps the [`View`] and the indices up to date with each change of the databases, at a cost that does not grow with
//! them: what the change does not concern is neither looked at nor copied.

use super::policies::Policy;
use super::states::State;
use super::view::{InterfaceView, PolicyView, View, same};
use super::{Clock, Database};
use crate::datapath::association::SaView;
use crate::xfrm::constants::*;
use crate::xfrm::policy::{PolicyRequest, Template};
use crate::xfrm::state::SaId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Which interfaces SAs and policies name.
#[derive(Default)]
pub(super) struct Interfaces {
    users: BTreeMap<u32, usize>,
    named: BTreeSet<u32>,
}

impl Interfaces {
    fn name(&mut self, if_id: u32) {
        *self.users.entry(if_id).or_default() += 1;
        self.named.insert(if_id);
    }

    fn forget(&mut self, if_id: u32) {
        if let Some(users) = self.users.get_mut(&if_id) {
            *users -= 1;
            if *users == 0 {
                self.users.remove(&if_id);
            }
        }
    }
}

fn fits_outbound(template: &Template, state: &SaView) -> bool {
    same(template.destination, state.outer.destination)
        && same(template.source, state.outer.source)
        && (template.spi == 0 || template.spi == state.id.spi)
}

impl Database {
    /// The picture now: a snapshot, made at no cost.
    pub fn view(&self) -> View {
        self.view.clone()
    }

    /// Whether an SA or a policy names an interface.
    pub fn names_interface(&self, if_id: u32) -> bool {
        self.interfaces.users.contains_key(&if_id)
    }

    /// The `if_id`s that SAs or policies have named (anew) since the last call.
    pub fn take_named_interfaces(&mut self) -> BTreeSet<u32> {
        std::mem::take(&mut self.interfaces.named)
    }

    /// Inserts an SA, in place of a larval one perhaps.
    pub(super) fn put_state(&mut self, mut state: State, clock: Clock) {
        let id = state.request.info.id;
        self.remove_state(&id);
        if let Some(sa) = state.view().map(Arc::new) {
            if state.request.direction != XFRM_SA_DIR_OUT {
                self.view.inbound.insert((id.destination, id.spi), sa.clone());
            }
            state.serial = self.states.number(state.serial);
            self.interfaces.name(sa.if_id);
            state.published = Some(sa);
        } else {
            self.view.larval.insert((id.destination, id.spi), ());
        }
        self.join_succession(&mut state, clock);
        let link = (state.request.if_id, state.request.info.reqid);
        let has_keys = !state.is_larval();
        self.states.insert(state, clock);
        if has_keys {
            self.resolve(link);
        }
    }

    pub(super) fn remove_state(&mut self, id: &SaId) -> Option<State> {
        let mut state = self.states.remove(id)?;
        if let Some(sa) = state.published.take() {
            self.view.inbound.remove(&(id.destination, id.spi));
            self.interfaces.forget(sa.if_id);
            self.resolve((sa.if_id, sa.reqid));
        } else {
            self.view.larval.remove(&(id.destination, id.spi));
        }
        self.leave_succession(&mut state);
        Some(state)
    }

    pub(super) fn clear_states(&mut self) {
        let all: Vec<SaId> = self.states.by_id.keys().copied().collect();
        all.iter().for_each(|id| drop(self.remove_state(id)));
    }

    /// Inserts or replaces; a replaced policy keeps its index and counters. Returns the index.
    pub(super) fn put_policy(&mut self, request: PolicyRequest, added: Clock) -> u32 {
        let index = self.policies.index_for(&request);
        let usage = self.remove_policy(index).map(|old| old.usage).unwrap_or_default();
        self.policies.insert(index, request, added, usage);
        self.watch_policy(index, added);
        let Some(policy) = self.policies.by_index.get(&index) else { return index };
        let (info, if_id) = (&policy.request.info, policy.request.if_id);
        let template = policy.request.templates.first().cloned();
        let outbound = template.as_ref().filter(|_| info.direction == XFRM_POLICY_OUT);
        let view = Arc::new(PolicyView {
            index,
            priority: info.priority,
            selector: info.selector,
            blocks: info.action == XFRM_POLICY_BLOCK,
            state: outbound.and_then(|template| self.state_for(if_id, template)),
            template,
            usage: policy.usage.clone(),
        });
        let direction = info.direction;
        self.interfaces.name(if_id);
        self.show(if_id, direction, view);
        index
    }

    pub(super) fn remove_policy(&mut self, index: u32) -> Option<Policy> {
        let mut policy = self.policies.remove(index)?;
        let if_id = policy.request.if_id;
        self.interfaces.forget(if_id);
        if let Some(view) = policy.published.take() {
            let interface = self.view.interfaces.entry(&if_id);
            let changed = Arc::make_mut(interface);
            changed.of(policy.request.info.direction).remove(&view);
            if changed.outbound.is_empty() && changed.inbound.is_empty() && changed.forward.is_empty() {
                self.view.interfaces.remove(&if_id);
            }
        }
        Some(policy)
    }

    pub(super) fn clear_policies(&mut self) {
        let all: Vec<u32> = self.policies.by_index.keys().copied().collect();
        all.iter().for_each(|index| drop(self.remove_policy(*index)));
    }

    /// The newest SA that a template of an outbound policy means.
    fn state_for(&self, if_id: u32, template: &Template) -> Option<Arc<SaView>> {
        let mut candidates = self.states.newest(if_id, template.reqid).filter_map(|s| s.published.as_ref());
        candidates.find(|sa| fits_outbound(template, sa)).cloned()
    }

    /// Finds the SAs of the outbound policies anew that ask for an `if_id` and a reqid.
    fn resolve(&mut self, (if_id, reqid): (u32, u32)) {
        for index in self.policies.asking(if_id, reqid) {
            let Some(old) = self.policies.by_index.get(&index).and_then(|p| p.published.clone()) else {
                continue;
            };
            let state = old.template.as_ref().and_then(|template| self.state_for(if_id, template));
            if state.as_ref().map(Arc::as_ptr) != old.state.as_ref().map(Arc::as_ptr) {
                self.show(if_id, XFRM_POLICY_OUT, Arc::new(PolicyView { state, ..(*old).clone() }));
            }
        }
    }

    /// Shows a policy in place of its earlier form, which has the same rank and selector.
    fn show(&mut self, if_id: u32, direction: u8, view: Arc<PolicyView>) {
        if let Some(policy) = self.policies.by_index.get_mut(&view.index) {
            policy.published = Some(view.clone());
        }
        let interface: &mut InterfaceView = Arc::make_mut(self.view.interfaces.entry(&if_id));
        interface.of(direction).insert(view);
    }
}
