//! SAs that were deleted a moment ago. To change an SA's address the daemon asks for its sequence numbers, deletes it, and adds it
//! anew with them; packets pass between the first and the second. Without their numbers some would be sent twice, and what was
//! received then could be played again.

use super::states::State;
use crate::datapath::association::Association;
use crate::esp::algorithm::Algorithm;
use crate::esp::replay::ReplayWindow;
use crate::esp::sequence::SequenceCounter;
use crate::xfrm::state::SaRequest;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// As many are remembered: an address update adds each SA again before it deletes the next but one.
const MAX_DEPARTED: usize = 16;

/// What is left of one SA: its numbers, which a worker may still be using, and no key.
struct Departed {
    spi: u32,
    reqid: u32,
    algorithm: Algorithm,
    sequence: Arc<SequenceCounter>,
    replay: Arc<Mutex<ReplayWindow>>,
}

/// The last few.
#[derive(Default)]
pub struct DepartedStates(VecDeque<Departed>);

impl DepartedStates {
    /// Remembers an SA that was deleted.
    pub fn remember(&mut self, state: &State) {
        let Some(association) = &state.association else { return };
        self.0.truncate(MAX_DEPARTED - 1);
        self.0.push_front(Departed {
            spi: state.request.info.id.spi,
            reqid: state.request.info.reqid,
            algorithm: association.algorithm(),
            sequence: association.sequence.clone(),
            replay: association.replay.clone(),
        });
    }

    /// Brings an SA that is added again (its counters are given) to where the one before it came since.
    pub fn catch_up(&mut self, request: &SaRequest, association: &Association) {
        let (spi, reqid, algorithm) = (request.info.id.spi, request.info.reqid, association.algorithm());
        let same = |d: &Departed| (d.spi, d.reqid, d.algorithm) == (spi, reqid, algorithm);
        let Some(place) = self.0.iter().position(same).filter(|_| request.usage.is_some()) else { return };
        let Some(before) = self.0.remove(place) else { return };
        association.sequence.skip_to(before.sequence.last());
        let before = before.replay.lock().unwrap_or_else(PoisonError::into_inner);
        let mut replay = association.replay.lock().unwrap_or_else(PoisonError::into_inner);
        if before.window() == replay.window() && before.top() >= replay.top() {
            *replay = before.clone();
        }
    }
}
