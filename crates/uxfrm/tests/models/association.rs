//! An SA: its numbers, and what waits for its turn.

use super::handover::Handover;
use super::send_batch::Handed;
use crate::esp::sequence::SequenceCounter;
use std::sync::Arc;

pub struct Association {
    pub sequence: Arc<SequenceCounter>,
    pub handover: Handover<Handed>,
}

pub struct SaView {
    pub association: Arc<Association>,
}

impl SaView {
    /// Whose numbers end with `maximum`.
    pub fn new(maximum: u64) -> Arc<Self> {
        let sequence = Arc::new(SequenceCounter::new(0, maximum));
        let handover = Handover::new(sequence.clone());
        Arc::new(Self { association: Arc::new(Association { sequence, handover }) })
    }
}
