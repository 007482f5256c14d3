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
    /// Counters carried over from before the SA was added.
    pub carried: Usage,
    pub soft_time_reported: bool,
    /// The peer's new address that the daemon was told, and when.
    pub mapping_reported: Option<((std::net::IpAddr, u16), u64)>,
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
            bytes: self.carried.bytes + values.bytes,
            packets: self.carried.packets + values.packets,
            add_time: if self.carried.add_time != 0 { self.carried.add_time } else { self.added.wall },
            use_time: if self.carried.use_time != 0 { self.carried.use_time } else { first_use },
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
        self.request.replay.is_some() && self.request.info.replay_window == 0
            || self.request.info.flags & XFRM_STATE_ESN != 0
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
