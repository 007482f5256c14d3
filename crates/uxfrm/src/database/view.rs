//! An immutable picture of both databases for the packet workers, made after each change.

use super::Database;
use super::policies::PolicyUse;
use crate::datapath::association::SaView;
use crate::xfrm::constants::*;
use crate::xfrm::policy::Template;
use crate::xfrm::selector::{Flow, Selector};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

/// A policy with the SA that its template means now.
pub struct PolicyView {
    pub index: u32,
    pub selector: Selector,
    pub blocks: bool,
    /// `None` where the policy asks for no IPsec (then nothing may leave through a tunnel interface).
    pub template: Option<Template>,
    /// Outbound only; `None` asks for an ACQUIRE.
    pub state: Option<Arc<SaView>>,
    pub usage: Arc<PolicyUse>,
}

/// The policies of one `if_id`, first match first.
#[derive(Default)]
pub struct InterfaceView {
    pub outbound: Vec<PolicyView>,
    /// For what is for this host.
    pub inbound: Vec<PolicyView>,
    /// For what came by a tunnel and goes on.
    pub forward: Vec<PolicyView>,
}

/// The whole picture.
#[derive(Default)]
pub struct View {
    pub interfaces: HashMap<u32, Arc<InterfaceView>>,
    /// By destination and SPI, for received packets, as the kernel finds them (the protocol is always ESP). An SA of what we send
    /// has the peer's address there, which no packet to us has.
    pub inbound: HashMap<(IpAddr, u32), Arc<SaView>>,
}

impl InterfaceView {
    /// The first policy for an outgoing packet.
    pub fn outbound_policy(&self, flow: &Flow) -> Option<&PolicyView> {
        self.outbound.iter().find(|policy| policy.selector.matches(flow))
    }

    /// Whether a packet that came by an SA is what a policy wants from that SA.
    pub fn admits(&self, flow: &Flow, state: &SaView, is_local: bool) -> Option<&PolicyView> {
        let policies = if is_local { &self.inbound } else { &self.forward };
        let policy = policies.iter().find(|policy| policy.selector.matches(flow))?;
        let template = policy.template.as_ref().filter(|_| !policy.blocks)?;
        let same = |a: IpAddr, b: IpAddr| a.is_unspecified() || a == b;
        let fits = (template.reqid == 0 || template.reqid == state.reqid)
            && (template.spi == 0 || template.spi == state.id.spi)
            && same(template.destination, state.outer.destination)
            && same(template.source, state.outer.source);
        fits.then_some(policy)
    }
}

fn fits_outbound(template: &Template, if_id: u32, state: &SaView) -> bool {
    let same = |a: IpAddr, b: IpAddr| a.is_unspecified() || a == b;
    state.if_id == if_id
        && same(template.destination, state.outer.destination)
        && same(template.source, state.outer.source)
        && (template.reqid == 0 || template.reqid == state.reqid)
        && (template.spi == 0 || template.spi == state.id.spi)
}

impl Database {
    /// The picture now.
    pub fn view(&self) -> View {
        let mut view = View::default();
        // Candidates by reqid, newest first, so that resolving many policies does not compare all with all.
        let mut by_reqid: HashMap<u32, Vec<(u64, Arc<SaView>)>> = HashMap::new();
        for state in self.states.by_id.values() {
            let Some(sa) = state.view().map(Arc::new) else { continue };
            if state.request.direction != XFRM_SA_DIR_OUT {
                view.inbound.insert((sa.id.destination, sa.id.spi), sa.clone());
            }
            if state.request.direction != XFRM_SA_DIR_IN {
                by_reqid.entry(sa.reqid).or_default().push((state.added.monotonic, sa));
            }
        }
        for candidates in by_reqid.values_mut() {
            candidates.sort_by_key(|(added, _)| std::cmp::Reverse(*added));
        }
        let mut interfaces: HashMap<u32, InterfaceView> = HashMap::new();
        let mut policies: Vec<_> = self.policies.by_index.values().collect();
        policies.sort_by_key(|p| (p.request.info.priority, p.request.info.index));
        for policy in policies {
            let (info, if_id) = (&policy.request.info, policy.request.if_id);
            let interface = interfaces.entry(if_id).or_default();
            let template = policy.request.templates.first().cloned();
            let outbound = info.direction == XFRM_POLICY_OUT;
            let state = template.as_ref().filter(|_| outbound).and_then(|t| {
                let candidates = by_reqid.get(&t.reqid)?;
                candidates.iter().find(|(_, sa)| fits_outbound(t, if_id, sa)).map(|(_, sa)| sa.clone())
            });
            let policy_view = PolicyView {
                index: info.index,
                selector: info.selector,
                blocks: info.action == XFRM_POLICY_BLOCK,
                template,
                state,
                usage: policy.usage.clone(),
            };
            match info.direction {
                XFRM_POLICY_OUT => interface.outbound.push(policy_view),
                XFRM_POLICY_IN => interface.inbound.push(policy_view),
                _ => interface.forward.push(policy_view),
            }
        }
        view.interfaces = interfaces.into_iter().map(|(id, i)| (id, Arc::new(i))).collect();
        view
    }

    /// All `if_id`s that SAs or policies name.
    pub fn if_ids(&self) -> std::collections::BTreeSet<u32> {
        let states = self.states.by_id.values().filter(|s| !s.is_larval()).map(|s| s.request.if_id);
        states.chain(self.policies.by_index.values().map(|p| p.request.if_id)).collect()
    }
}
