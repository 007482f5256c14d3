//! The SA database.

use super::Clock;
use crate::datapath::association::{Association, Outer, SaView};
use crate::xfrm::constants::*;
use crate::xfrm::lifetime::Usage;
use crate::xfrm::replay_state::ReplayState;
use crate::xfrm::state::{SaId, SaInfo, SaRequest};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

/// How long an allocated SPI waits for its keys, in milliseconds: the kernel's `xfrm_acq_expires`.
pub const LARVAL_LIFETIME_MS: u64 = 165_000;

/// An SA, or an SPI that waits for its keys.
pub struct State {
    pub request: SaRequest,
    pub added: Clock,
    /// Set once keys are there.
    pub association: Option<Arc<Association>>,
    /// What the daemon said the SA had done before it was added. The association's counters start there.
    pub carried: Usage,
    /// The daemon was told of a soft limit: of time, bytes or packets.
    pub soft_reported: bool,
    /// When the daemon was last told of a new address of the peer, in milliseconds of the monotonic clock.
    pub mapping_reported: Option<u64>,
    /// As the data path has it.
    pub(super) published: Option<Arc<SaView>>,
    /// Of two SAs with keys, the newer has the higher one.
    pub(super) serial: u64,
    /// When it is to be looked at, in monotonic milliseconds.
    timer: Option<u64>,
}

impl State {
    /// Whether this is only an allocated SPI.
    pub fn is_larval(&self) -> bool {
        self.association.is_none()
    }

    /// `curlft` now.
    pub fn usage(&self) -> Usage {
        let Some(association) = &self.association else {
            return Usage { add_time: self.added.wall, ..Usage::default() };
        };
        let values = association.counters.read();
        let first_use = association.first_use.load(Ordering::Relaxed);
        Usage {
            bytes: values.bytes,
            packets: values.packets,
            add_time: if self.carried.add_time != 0 { self.carried.add_time } else { self.added.wall },
            use_time: first_use,
        }
    }

    /// For how long its keys were in use before it was added here, in milliseconds: an address update adds an SA anew, and its
    /// lifetime goes on.
    pub fn age_before_ms(&self) -> u64 {
        match self.carried.add_time {
            0 => 0,
            first => self.added.wall.saturating_sub(first).saturating_mul(1000),
        }
    }

    /// The fixed part as the kernel would show it now.
    pub fn info(&self) -> SaInfo {
        let mut info = self.request.info.clone();
        info.usage = self.usage();
        if let Some(association) = &self.association {
            let values = association.counters.read();
            info.statistics = [0, values.replayed as u32, values.integrity_failed as u32];
        }
        info
    }

    /// Sequence numbers and window now.
    pub fn replay_state(&self) -> ReplayState {
        let Some(association) = &self.association else { return ReplayState::default() };
        let replay = association.replay.lock().unwrap_or_else(PoisonError::into_inner);
        ReplayState {
            outbound: association.sequence.last(),
            inbound: replay.top(),
            window: replay.window(),
            bitmap: replay.bits().to_vec(),
        }
    }

    /// Whether sequence state is shown in the extended form.
    pub fn has_extended_replay(&self) -> bool {
        self.request.has_extended_replay
    }

    /// For the data path; `None` for a larval SA.
    pub fn view(&self) -> Option<SaView> {
        let (request, flags) = (&self.request, self.request.info.flags);
        Some(SaView {
            id: request.info.id,
            reqid: request.info.reqid,
            if_id: request.if_id,
            selector: request.info.selector,
            outer: Outer {
                source: request.info.source,
                destination: request.info.id.destination,
                ports: request.encapsulation.map(|e| (e.source_port, e.destination_port)),
                no_ecn: flags & XFRM_STATE_NOECN != 0,
                decapsulate_dscp: flags & XFRM_STATE_DECAP_DSCP != 0,
                hide_dscp: request.extra_flags & XFRM_SA_XFLAG_DONT_ENCAP_DSCP != 0,
                no_pmtu_discovery: flags & XFRM_STATE_NOPMTUDISC != 0,
            },
            association: self.association.clone()?,
        })
    }
}

/// All SAs by address, SPI and protocol.
#[derive(Default)]
pub struct States {
    pub(crate) by_id: BTreeMap<SaId, State>,
    /// Those that can send by interface and reqid, the newest first.
    by_reqid: BTreeMap<(u32, u32, Reverse<u64>), SaId>,
    timers: BTreeSet<(u64, SaId)>,
    last_serial: u64,
}

impl States {
    /// Looks an SA up.
    pub fn get(&self, id: &SaId) -> Option<&State> {
        self.by_id.get(id)
    }

    /// SAs, larval ones too.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// The serial number of an SA that has got its keys: the one it has, or the next.
    pub(super) fn number(&mut self, serial: u64) -> u64 {
        self.last_serial += u64::from(serial == 0);
        if serial == 0 { self.last_serial } else { serial }
    }

    pub(super) fn insert(&mut self, state: State, clock: Clock) {
        let id = state.request.info.id;
        if let Some(sa) = state.published.as_ref().filter(|_| state.request.direction != XFRM_SA_DIR_IN) {
            self.by_reqid.insert((sa.if_id, sa.reqid, Reverse(state.serial)), id);
        }
        self.by_id.insert(id, state);
        self.schedule(&id, clock);
    }

    pub(super) fn remove(&mut self, id: &SaId) -> Option<State> {
        let mut state = self.by_id.remove(id)?;
        if let Some(at) = state.timer.take() {
            self.timers.remove(&(at, *id));
        }
        if let Some(sa) = &state.published {
            self.by_reqid.remove(&(sa.if_id, sa.reqid, Reverse(state.serial)));
        }
        Some(state)
    }

    /// SAs that can send, of an interface and a reqid, the newest first.
    pub(super) fn newest(&self, if_id: u32, reqid: u32) -> impl Iterator<Item = &State> {
        let all = (if_id, reqid, Reverse(u64::MAX))..=(if_id, reqid, Reverse(0));
        self.by_reqid.range(all).filter_map(|(_, id)| self.by_id.get(id))
    }

    /// Sets the timer of an SA whose limits are new or were looked at.
    pub(super) fn schedule(&mut self, id: &SaId, clock: Clock) {
        let Some(state) = self.by_id.get_mut(id) else { return };
        if let Some(at) = state.timer.take() {
            self.timers.remove(&(at, *id));
        }
        state.timer = state.next_look(clock);
        if let Some(at) = state.timer {
            self.timers.insert((at, *id));
        }
    }

    /// Takes an SA out whose timer has run down; it is to be scheduled again.
    pub(super) fn take_due(&mut self, monotonic: u64) -> Option<SaId> {
        let (_, id) = *self.timers.first().filter(|(at, _)| *at <= monotonic)?;
        self.timers.pop_first();
        if let Some(state) = self.by_id.get_mut(&id) {
            state.timer = None;
        }
        Some(id)
    }

    /// When the next timer runs down.
    pub(super) fn next_timer(&self) -> Option<u64> {
        self.timers.first().map(|(at, _)| *at)
    }
}

impl State {
    /// Without counters of its own and not yet shown to the data path.
    pub(super) fn new(request: SaRequest, added: Clock, association: Option<Arc<Association>>) -> Self {
        let carried = request.usage.unwrap_or_default();
        Self {
            request,
            added,
            association,
            carried,
            soft_reported: false,
            mapping_reported: None,
            published: None,
            serial: 0,
            timer: None,
        }
    }
}
