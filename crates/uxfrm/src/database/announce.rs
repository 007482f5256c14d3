//! Tells those who listen (`ip xfrm monitor`) what requests have changed: the events of XFRMNLGRP_SA and XFRMNLGRP_POLICY,
//! as `xfrm_notify_sa` and `xfrm_notify_policy` of `net/xfrm/xfrm_user.c` make them. Each has the number and port of the
//! request that it comes from.

use super::Database;
use super::handler::reply;
use super::handler_state::write_state_attributes;
use super::policies::Policy;
use super::states::State;
use crate::xfrm::constants::*;
use crate::xfrm::event::Event;
use crate::xfrm::wire::{Header, Writer};

impl Database {
    /// Which multicast groups somebody listens to, as in `nl_groups`: no event is made for the others.
    pub fn listen(&mut self, groups: u32) {
        self.listened = groups;
    }

    fn announce(&mut self, group: u32, request: Header, fill: impl FnOnce(&mut Writer)) {
        if self.listened >> (group - 1) & 1 == 0 {
            return;
        }
        let mut writer = Writer::new(reply(request, request.kind, 0));
        fill(&mut writer);
        self.announced.push(Event { group, message: writer.finish() });
    }

    /// NEWSA or UPDSA, with the keys: the kernel shows them too.
    pub(super) fn announce_state(&mut self, request: Header, state: &State) {
        self.announce(XFRMNLGRP_SA, request, |w| {
            state.info().write(w);
            write_state_attributes(state, w);
        });
    }

    pub(super) fn announce_deleted_state(&mut self, request: Header, state: &State) {
        self.announce(XFRMNLGRP_SA, request, |w| {
            state.request.info.id.write(w);
            w.attribute(XFRMA_SA, |w| state.info().write(w));
            write_state_attributes(state, w);
        });
    }

    pub(super) fn announce_flushed_states(&mut self, request: Header, protocol: u8) {
        self.announce(XFRMNLGRP_SA, request, |w| {
            w.u8(protocol).zeros(3);
        });
    }

    /// NEWPOLICY or UPDPOLICY.
    pub(super) fn announce_policy(&mut self, request: Header, index: u32) {
        let Some((info, policy)) = self.policies.by_index.get(&index).map(|p| (p.info(), p.request.clone()))
        else {
            return;
        };
        self.announce(XFRMNLGRP_POLICY, request, |w| {
            info.write(w);
            policy.write_attributes(w);
        });
    }

    /// `by_index`: how the request named it, and so how the event does.
    pub(super) fn announce_deleted_policy(&mut self, request: Header, policy: &Policy, by_index: bool) {
        self.announce(XFRMNLGRP_POLICY, request, |w| {
            let info = policy.info();
            if by_index {
                w.zeros(56).u32(info.index);
            } else {
                info.selector.write(w);
                w.u32(0);
            }
            w.u8(info.direction).zeros(3);
            w.attribute(XFRMA_POLICY, |w| info.write(w));
            policy.request.write_attributes(w);
        });
    }

    pub(super) fn announce_flushed_policies(&mut self, request: Header) {
        self.announce(XFRMNLGRP_POLICY, request, |w| {
            w.attribute(XFRMA_POLICY_TYPE, |w| {
                w.zeros(6);
            });
        });
    }
}
