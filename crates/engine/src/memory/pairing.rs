//! Whether two tunnels would come up between two IKE daemons, and if not, why.

use std::net::IpAddr;

use causeway_model::{EspProposal, IkeVersion, Initiation, TrafficSelectors, proposal};
use causeway_plan::{ChildState, IkeState, Tunnel, TunnelError};
use ipnet::IpNet;

/// One end of a negotiation: a tunnel and its instance's public address.
#[derive(Clone, Copy)]
pub(super) struct End<'a> {
    pub tunnel: &'a Tunnel,
    pub address: IpAddr,
}

/// What a negotiation comes to, seen from one end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    pub ike: IkeState,
    pub child: ChildState,
    pub error: Option<TunnelError>,
}

pub(super) const UP: Verdict =
    Verdict { ike: IkeState::Established, child: ChildState::Installed, error: None };

fn down(error: TunnelError) -> Verdict {
    Verdict { ike: IkeState::Down, child: ChildState::Down, error: Some(error) }
}

/// The verdict for `here` among the tunnels that its peer's address has for it.
///
/// `peer_exists` says whether anybody has the peer's address at all.
pub(super) fn judge(here: End<'_>, peers: &[End<'_>], peer_exists: bool) -> Verdict {
    if let Some(verdict) = peers.iter().map(|there| negotiate(here, *there)).max_by_key(|v| progress(*v)) {
        return verdict;
    }
    match (starts_now(here.tunnel), peer_exists) {
        // One that waits for its peer, or for packets that nobody sends here, knows of no error.
        (false, _) => Verdict { ike: IkeState::Down, child: ChildState::Down, error: None },
        // A daemon without a configuration for this address answers NO_PROPOSAL_CHOSEN to IKE_SA_INIT,
        // as strongSwan does when no connection matches.
        (true, true) => down(TunnelError::IkeProposalMismatch),
        (true, false) => Verdict { ike: IkeState::Connecting, ..down(TunnelError::PeerNotResponding) },
    }
}

/// There are no packets here: what waits for one waits for ever.
fn starts_now(tunnel: &Tunnel) -> bool {
    tunnel.initiation == Initiation::AtOnce
}

/// How far a negotiation got: with several candidates a daemon ends at the one that gets furthest.
fn progress(verdict: Verdict) -> u8 {
    match (verdict.ike, verdict.child, verdict.error) {
        (_, ChildState::Installed, _) => 6,
        (_, ChildState::Partial { .. }, _) => 5,
        (IkeState::Established, ..) => 4,
        (.., Some(TunnelError::AuthenticationFailed)) => 3,
        (.., Some(TunnelError::IkeProposalMismatch)) => 2,
        (.., Some(_)) => 1,
        (.., None) => 0,
    }
}

fn negotiate(here: End<'_>, there: End<'_>) -> Verdict {
    let (a, b) = (here.tunnel, there.tunnel);
    if !starts_now(a) && !starts_now(b) {
        return Verdict { ike: IkeState::Down, child: ChildState::Down, error: None };
    }
    if a.ike.version != b.ike.version || !same_ike(a, b) {
        return down(TunnelError::IkeProposalMismatch);
    }
    let ids = accepts(&a.remote_id, &b.local_id) && accepts(&b.remote_id, &a.local_id);
    if !ids || a.psk != b.psk {
        return down(TunnelError::AuthenticationFailed);
    }
    let v1 = a.ike.version != IkeVersion::V2;
    // IKEv2 takes the key of the first CHILD_SA from the IKE_SA, so PFS is not negotiated there
    // (RFC 7296 section 1.2); IKEv1's quick mode does.
    if !same_esp(&a.esp, &b.esp) || (v1 && a.esp.pfs_group != b.esp.pfs_group) {
        return half_up(TunnelError::EspProposalMismatch);
    }
    let has_peer =
        |child: &&TrafficSelectors| b.children.iter().any(|other| selectors_meet(child, other, v1));
    match ChildState::of(a.children.iter().filter(has_peer).count(), a.children.len()) {
        ChildState::Installed => UP,
        child => Verdict { child, ..half_up(TunnelError::TrafficSelectorMismatch) },
    }
}

fn half_up(error: TunnelError) -> Verdict {
    Verdict { ike: IkeState::Established, child: ChildState::Down, error: Some(error) }
}

fn same_ike(a: &Tunnel, b: &Tunnel) -> bool {
    match (proposal::ike(&a.ike), proposal::ike(&b.ike)) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

fn same_esp(a: &EspProposal, b: &EspProposal) -> bool {
    let integrity = |esp: &EspProposal| (!esp.encryption.is_aead()).then_some(esp.integrity);
    a.encryption == b.encryption && integrity(a) == integrity(b)
}

/// Whether an identity that an end presents is one that the other end expects.
fn accepts(expected: &str, presented: &str) -> bool {
    expected == "%any" || expected == presented
}

/// IKEv2 narrows selectors to what both have (RFC 7296 section 2.9); IKEv1 wants them equal.
fn selectors_meet(here: &TrafficSelectors, there: &TrafficSelectors, exactly: bool) -> bool {
    let there = there.reversed();
    if exactly {
        return *here == there;
    }
    let meet = |a: &[IpNet], b: &[IpNet]| a.iter().any(|x| b.iter().any(|y| x.contains(y) || y.contains(x)));
    meet(&here.local, &there.local) && meet(&here.remote, &there.remote)
}
