//! An immutable picture of both databases for the packet workers. Each change makes the next one, which shares with the one
//! before all that the change does not touch (see [`super::publish`]).

use super::classifier::Classifier;
use super::policies::PolicyUse;
use super::snapshot_map::SnapshotMap;
use crate::datapath::association::SaView;
use crate::xfrm::constants::{XFRM_POLICY_IN, XFRM_POLICY_OUT};
use crate::xfrm::policy::Template;
use crate::xfrm::selector::{Flow, Selector};
use std::net::IpAddr;
use std::sync::Arc;

/// A policy with the SA that its template means now.
#[derive(Clone)]
pub struct PolicyView {
    pub index: u32,
    pub priority: u32,
    pub selector: Selector,
    pub blocks: bool,
    /// `None` where the policy asks for no IPsec (then nothing may leave through a tunnel interface).
    pub template: Option<Template>,
    /// Outbound only; `None` asks for an ACQUIRE.
    pub state: Option<Arc<SaView>>,
    pub usage: Arc<PolicyUse>,
}

impl PolicyView {
    /// Of two policies that match, the one of lower rank holds.
    pub fn rank(&self) -> (u32, u32) {
        (self.priority, self.index)
    }
}

/// The policies of one `if_id`.
#[derive(Clone, Default)]
pub struct InterfaceView {
    pub outbound: Classifier,
    /// For what is for this host.
    pub inbound: Classifier,
    /// For what came by a tunnel and goes on.
    pub forward: Classifier,
}

/// The whole picture. A clone is a snapshot.
#[derive(Clone, Default)]
pub struct View {
    pub interfaces: SnapshotMap<u32, Arc<InterfaceView>>,
    /// By destination and SPI, for received packets, as the kernel finds them (the protocol is always ESP). An SA of what we send
    /// has the peer's address there, which no packet to us has.
    pub inbound: SnapshotMap<(IpAddr, u32), Arc<SaView>>,
    /// SPIs that were given out and wait for their keys, by the address of ours that they are for.
    pub larval: SnapshotMap<(IpAddr, u32), ()>,
}

impl InterfaceView {
    /// The policies of a direction.
    pub(super) fn of(&mut self, direction: u8) -> &mut Classifier {
        match direction {
            XFRM_POLICY_OUT => &mut self.outbound,
            XFRM_POLICY_IN => &mut self.inbound,
            _ => &mut self.forward,
        }
    }
}

/// Whether a template's address, which may be unspecified, is an SA's.
pub(super) fn same(template: IpAddr, address: IpAddr) -> bool {
    template.is_unspecified() || template == address
}

impl InterfaceView {
    /// The first policy for an outgoing packet.
    pub fn outbound_policy(&self, flow: &Flow) -> Option<&PolicyView> {
        self.outbound.find(flow)
    }

    /// Whether a packet that came by an SA is what a policy wants from that SA.
    pub fn admits(&self, flow: &Flow, state: &SaView, is_local: bool) -> Option<&PolicyView> {
        let policy = if is_local { &self.inbound } else { &self.forward }.find(flow)?;
        let template = policy.template.as_ref().filter(|_| !policy.blocks)?;
        let fits = (template.reqid == 0 || template.reqid == state.reqid)
            && (template.spi == 0 || template.spi == state.id.spi)
            && same(template.destination, state.outer.destination)
            && same(template.source, state.outer.source);
        fits.then_some(policy)
    }
}
