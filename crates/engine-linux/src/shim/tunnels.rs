//! The tunnels of one instance, as its keeper knows them: what is loaded, how it fares, when to call.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use causeway_model::Initiation;
use causeway_plan::{ChildState, Fingerprint, IkeState, Tunnel, TunnelError, TunnelStatus, UnixMillis};

use super::protocol;
use crate::strongswan::connection::child_name;
use crate::strongswan::sas::SaState;

/// The first pause before a peer is called again, and the longest. A peer that does not answer at all
/// keeps charon busy for its own 26 s, so this is for peers that refuse.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// In which the end that began a negotiation has called for all children that it has.
const RESPONDERS_PAUSE: Duration = Duration::from_secs(1);

/// One tunnel.
pub(super) struct Kept {
    pub tunnel: Tunnel,
    pub fingerprint: Fingerprint,
    /// Whether charon has it; not while charon is being restarted.
    pub loaded: bool,
    /// charon's names of the tunnel's children.
    children: BTreeSet<String>,
    child: ChildState,
    since: UnixMillis,
    /// What charon said last.
    seen: SaState,
    error: Option<TunnelError>,
    /// The children changed under an IKE_SA that stays: then either end calls for what is missing.
    reshaped: bool,
    /// The peer is to be called once, although the tunnel waits for traffic: for the other children where traffic of one
    /// started the negotiation, and for what a charon had that died.
    call_once: bool,
    call_at: Instant,
    pause: Duration,
}

/// All tunnels, by connection.
#[derive(Default)]
pub(super) struct Tunnels {
    kept: BTreeMap<String, Kept>,
}

impl Tunnels {
    /// Takes a tunnel in, in place of an earlier one of its name, and says what that was.
    pub(super) fn put(&mut self, name: &str, tunnel: Tunnel, fingerprint: Fingerprint) -> Option<Tunnel> {
        let fresh = Kept {
            children: child_names(&tunnel),
            tunnel,
            fingerprint,
            loaded: false,
            child: ChildState::Down,
            since: now(),
            seen: SaState::default(),
            error: None,
            reshaped: false,
            // A charon that died takes all tunnels in anew.
            call_once: self.kept.get(name).is_some_and(|old| old.call_once),
            call_at: Instant::now(),
            pause: FIRST_PAUSE,
        };
        self.kept.insert(name.to_owned(), fresh).map(|old| old.tunnel)
    }

    /// Gives a tunnel other children. Its SAs are those of before.
    pub(super) fn reshape(&mut self, name: &str, tunnel: Tunnel, fingerprint: Fingerprint) {
        if let Some(kept) = self.kept.get_mut(name) {
            kept.children = child_names(&tunnel);
            // At once: what takes the place of a child has to be up before that goes.
            kept.child = kept.child_state(&kept.seen);
            (kept.loaded, kept.reshaped) = (false, true);
            (kept.tunnel, kept.fingerprint) = (tunnel, fingerprint);
        }
    }

    pub(super) fn remove(&mut self, name: &str) -> Option<Tunnel> {
        self.kept.remove(name).map(|kept| kept.tunnel)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Kept> {
        self.kept.get(name)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &Kept)> {
        self.kept.iter()
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.kept.keys().cloned().collect()
    }

    /// charon has a tunnel now, and the peer is to be called at once.
    pub(super) fn set_loaded(&mut self, name: &str) {
        if let Some(kept) = self.kept.get_mut(name) {
            kept.loaded = true;
            kept.pause = FIRST_PAUSE;
            kept.call_at = Instant::now();
        }
    }

    /// charon is gone, and every SA with it.
    pub(super) fn all_lost(&mut self) {
        for kept in self.kept.values_mut() {
            kept.loaded = false;
            kept.call_once |= kept.waits_for_traffic() && kept.child != ChildState::Down;
        }
        self.refresh(&BTreeMap::new());
    }

    /// Takes over what charon says about its SAs; tells whether any tunnel's state changed.
    pub(super) fn refresh(&mut self, seen: &BTreeMap<String, SaState>) -> bool {
        let mut changed = false;
        for (name, kept) in &mut self.kept {
            let state = seen.get(name).cloned().unwrap_or_default();
            let before = (kept.seen.ike, kept.child);
            let child = kept.child_state(&state);
            kept.seen = state;
            if child == ChildState::Installed {
                (kept.reshaped, kept.call_once) = (false, false);
            }
            if before == (kept.seen.ike, child) {
                continue;
            }
            changed = true;
            let went_down = child.rank() < kept.child.rank();
            if kept.child == ChildState::Down && matches!(child, ChildState::Partial { .. }) {
                kept.call_once = kept.waits_for_traffic();
                // Who began goes on; the other end only where that one knows of fewer children.
                let pause = if kept.seen.is_initiator { Duration::ZERO } else { RESPONDERS_PAUSE };
                kept.call_at = Instant::now() + pause;
            }
            (kept.child, kept.since) = (child, now());
            if kept.child == ChildState::Installed {
                kept.error = None;
                kept.pause = FIRST_PAUSE;
            }
            if went_down {
                // Not at once: the end that closed the tunnel may be about to change it.
                kept.call_at = Instant::now() + FIRST_PAUSE;
            }
        }
        changed
    }

    /// Notes why a tunnel does not come up; tells whether that is news.
    pub(super) fn note(&mut self, name: &str, error: TunnelError) -> bool {
        let Some(kept) = self.kept.get_mut(name) else { return false };
        // IKEv1 has one notification for both phases; with the IKE_SA up it is about the CHILD_SA.
        let error = match error {
            TunnelError::IkeProposalMismatch if kept.seen.ike == IkeState::Established => {
                TunnelError::EspProposalMismatch
            }
            // That the peer closes is how it ends after any other reason, too.
            TunnelError::ClosedByPeer => kept.error.unwrap_or(error),
            other => other,
        };
        let news = kept.error != Some(error);
        kept.error = Some(error);
        news
    }

    /// The tunnels whose peers are to be called now.
    pub(super) fn due(&mut self) -> Vec<String> {
        let now = Instant::now();
        let mut due = Vec::new();
        for (name, kept) in &mut self.kept {
            if kept.wants_call() && kept.call_at <= now {
                kept.call_at = now + kept.pause;
                kept.pause = (kept.pause * 2).min(LONGEST_PAUSE);
                due.push(name.clone());
            }
        }
        due
    }

    /// The peer of a tunnel was called for everything that was missing.
    pub(super) fn set_called(&mut self, name: &str) {
        if let Some(kept) = self.kept.get_mut(name) {
            kept.call_once = false;
        }
    }

    /// When the next peer is to be called; `None` while there is nobody to call.
    pub(super) fn next_call(&self) -> Option<Instant> {
        self.kept.values().filter(|kept| kept.wants_call()).map(|kept| kept.call_at).min()
    }

    pub(super) fn report(&self) -> BTreeMap<String, protocol::Loaded> {
        let loaded = self.kept.iter().filter(|(_, kept)| kept.loaded);
        loaded.map(|(name, kept)| (name.clone(), kept.report())).collect()
    }
}

impl Kept {
    /// Whether this side has to call the peer.
    pub(super) fn wants_call(&self) -> bool {
        let starts = self.call_once || self.tunnel.initiation == Initiation::AtOnce;
        let may_call =
            starts && self.tunnel.remote.is_some() || self.reshaped && self.seen.ike == IkeState::Established;
        self.loaded
            && may_call
            && self.child != ChildState::Installed
            && self.seen.ike != IkeState::Connecting
            && !self.seen.negotiating
    }

    fn waits_for_traffic(&self) -> bool {
        self.tunnel.initiation == Initiation::OnTraffic
    }

    /// The children that have no CHILD_SA.
    pub(super) fn missing(&self) -> Vec<String> {
        self.children.difference(&self.seen.installed).cloned().collect()
    }

    /// The children that have a CHILD_SA and are no longer the tunnel's. What takes their place comes up first.
    pub(super) fn stale(&self) -> Vec<String> {
        match self.child {
            ChildState::Installed if self.loaded => {
                self.seen.installed.difference(&self.children).cloned().collect()
            }
            _ => Vec::new(),
        }
    }

    fn child_state(&self, seen: &SaState) -> ChildState {
        ChildState::of(self.children.intersection(&seen.installed).count(), self.children.len())
    }

    fn report(&self) -> protocol::Loaded {
        let up = self.child == ChildState::Installed;
        protocol::Loaded {
            fingerprint: self.fingerprint,
            status: TunnelStatus {
                ike: self.seen.ike,
                child: self.child,
                since: self.since,
                bytes_in: self.seen.bytes_in,
                bytes_out: self.seen.bytes_out,
                packets_in: self.seen.packets_in,
                packets_out: self.seen.packets_out,
                last_error: self.error.filter(|_| !up),
            },
        }
    }
}

fn child_names(tunnel: &Tunnel) -> BTreeSet<String> {
    tunnel.children.iter().map(child_name).collect()
}

fn now() -> UnixMillis {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
