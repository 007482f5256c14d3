//! Whether two tunnels would come up between two IKE daemons, and if not, why.

use std::net::IpAddr;

use causeway_plan::{ChildState, EspPolicy, IkePolicy, IkeState, IkeVersion, Integrity, Tunnel, TunnelError};
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
    match (here.tunnel.initiate, peer_exists) {
        // A responder that nobody calls knows of no error.
        (false, _) => Verdict { ike: IkeState::Down, child: ChildState::Down, error: None },
        // A daemon without a configuration for this address answers NO_PROPOSAL_CHOSEN to IKE_SA_INIT,
        // as strongSwan does when no connection matches.
        (true, true) => down(TunnelError::IkeProposalMismatch),
        (true, false) => Verdict { ike: IkeState::Connecting, ..down(TunnelError::PeerNotResponding) },
    }
}

/// How far a negotiation got: with several candidates a daemon ends at the one that gets furthest.
fn progress(verdict: Verdict) -> u8 {
    match (verdict.ike, verdict.child, verdict.error) {
        (_, ChildState::Installed, _) => 5,
        (IkeState::Established, ..) => 4,
        (.., Some(TunnelError::AuthenticationFailed)) => 3,
        (.., Some(TunnelError::IkeProposalMismatch)) => 2,
        (.., Some(_)) => 1,
        (.., None) => 0,
    }
}

fn negotiate(here: End<'_>, there: End<'_>) -> Verdict {
    let (a, b) = (here.tunnel, there.tunnel);
    if !a.initiate && !b.initiate {
        return Verdict { ike: IkeState::Down, child: ChildState::Down, error: None };
    }
    let Some(v1) = common_version(a, b) else { return down(TunnelError::IkeProposalMismatch) };
    if !same_ike(&a.ike, &b.ike) {
        return down(TunnelError::IkeProposalMismatch);
    }
    let ids = accepts(&a.remote_id, &b.local_id) && accepts(&b.remote_id, &a.local_id);
    if !ids || a.psk != b.psk {
        return down(TunnelError::AuthenticationFailed);
    }
    // IKEv2 takes the key of the first CHILD_SA from the IKE_SA, so PFS is not negotiated there
    // (RFC 7296 section 1.2); IKEv1's quick mode does.
    if !same_esp(&a.esp, &b.esp) || (v1 && a.esp.pfs != b.esp.pfs) {
        return half_up(TunnelError::EspProposalMismatch);
    }
    if !(selectors_meet(&a.local_ts, &b.remote_ts, v1) && selectors_meet(&a.remote_ts, &b.local_ts, v1)) {
        return half_up(TunnelError::TrafficSelectorMismatch);
    }
    UP
}

fn half_up(error: TunnelError) -> Verdict {
    Verdict { ike: IkeState::Established, child: ChildState::Down, error: Some(error) }
}

/// `Some(true)` when the two ends meet in IKEv1, `Some(false)` for IKEv2, `None` when they do not meet.
fn common_version(a: &Tunnel, b: &Tunnel) -> Option<bool> {
    use IkeVersion::{Any, V1Aggressive, V1Main, V2};
    match (a.ike.version, b.ike.version) {
        (V2 | Any, V2 | Any) => Some(false),
        (V1Main, V1Main) | (V1Aggressive, V1Aggressive) => Some(true),
        // `Any` initiates IKEv2 and accepts IKEv1, so the other end has to be the one that calls.
        (V1Main, Any) => a.initiate.then_some(true),
        (Any, V1Main) => b.initiate.then_some(true),
        _ => None,
    }
}

fn same_ike(a: &IkePolicy, b: &IkePolicy) -> bool {
    match (a.proposal(), b.proposal()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

fn same_esp(a: &EspPolicy, b: &EspPolicy) -> bool {
    let integrity =
        |esp: &EspPolicy| -> Option<Integrity> { esp.integrity.filter(|_| !esp.encryption.is_aead()) };
    a.encryption == b.encryption && integrity(a) == integrity(b)
}

/// Whether an identity that an end presents is one that the other end expects.
fn accepts(expected: &str, presented: &str) -> bool {
    expected == "%any" || expected == presented
}

/// IKEv2 narrows selectors to what both have (RFC 7296 section 2.9); IKEv1 wants them equal.
fn selectors_meet(a: &[IpNet], b: &[IpNet], exactly: bool) -> bool {
    if exactly {
        return a.first() == b.first();
    }
    a.iter().any(|x| b.iter().any(|y| x.contains(y) || y.contains(x)))
}
