//! The SA database.

use super::Clock;
use crate::datapath::association::{Association, Outer, SaView};
use crate::xfrm::constants::*;
use crate::xfrm::lifetime::Usage;
use crate::xfrm::replay_state::ReplayState;
use crate::xfrm::state::{SaId, SaInfo, SaRequest};
use std::collections::BTreeMap;
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
    pub soft_time_reported: bool,
    /// When the daemon was last told of a new address of the peer, in milliseconds of the monotonic clock.
    pub mapping_reported: Option<u64>,
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
    pub by_id: BTreeMap<SaId, State>,
}

impl States {
    /// Looks an SA up.
    pub fn get(&self, id: &SaId) -> Option<&State> {
        self.by_id.get(id)
    }
}
