//! What a worker seals, on its way out in the order of its numbers: sent at once where it is its turn, handed over where others come first.

use super::association::SaView;
use super::counters::add;
use super::handover::Turn;
use super::isolation::isolated;
use super::sealed::Sealed;
pub use super::sealed::OuterHeader;
use super::shared::Shared;
use super::turn::Claim;
use crate::esp::EspError;
use std::sync::Arc;

/// Batches of others that a worker sends in a row, where its own packets may wait.
const FOR_OTHERS: usize = 4;

/// Collects packets of one SA, and sends them or has them sent.
pub struct SendBatch {
    sealed: Box<Sealed>,
    /// The sequence numbers of what waits and of what is still to come.
    claim: Option<Claim>,
    /// The SA by which batches were handed over that are not known to be sent.
    handed: Option<Arc<SaView>>,
}

impl SendBatch {
    /// # Errors
    /// Where memory cannot be had.
    pub fn new(shared: &Shared, worker: usize) -> std::io::Result<Self> {
        if shared.sockets.len() > 1 {
            shared.spares[worker].fill()?;
        }
        Ok(Self { sealed: Box::new(Sealed::new()?), claim: None, handed: None })
    }

    /// Sees to it that there are sequence numbers for `count` packets of an SA, as far as it has so many left.
    ///
    /// # Errors
    /// [`EspError::Exhausted`] where it has none.
    pub fn claim(
        &mut self,
        state: &SaView,
        count: u64,
        shared: &Shared,
        worker: usize,
    ) -> Result<(), EspError> {
        let sequence = &state.association.sequence;
        if !self.claim.as_mut().is_some_and(|claim| claim.extend(sequence, count)) {
            self.end_run(shared, worker);
            if self.handed.as_ref().is_some_and(|handed| !Arc::ptr_eq(&handed.association, &state.association)) {
                self.wait_for_handed(shared, worker);
            }
            self.claim = Some(Claim::new(sequence, count)?);
        }
        Ok(())
    }

    /// Room for a packet of `len` bytes and its sequence number, out of those that were claimed; sends what waits if it
    /// cannot join.
    ///
    /// # Errors
    /// [`EspError::Exhausted`] where all that were claimed are used.
    pub fn room(
        &mut self,
        state: &Arc<SaView>,
        header: OuterHeader,
        len: usize,
        shared: &Shared,
        worker: usize,
    ) -> Result<(u64, &mut [u8]), EspError> {
        if !self.sealed.fits(state, header, len) {
            self.flush(shared, worker);
            self.sealed.begin(state, header, len);
        }
        let sequence = self.claim.as_mut().ok_or(EspError::Exhausted)?.number()?;
        Ok((sequence, self.sealed.room(len)))
    }

    /// Takes the packet that was written to [`SendBatch::room`]; `payload` are its inner bytes.
    pub fn commit(&mut self, len: usize, payload: usize) {
        self.sealed.commit(len, payload);
    }

    /// Sends what waits or hands it over, and lets the numbers go that were claimed and not used.
    pub fn end_run(&mut self, shared: &Shared, worker: usize) {
        self.flush(shared, worker);
        self.claim = None;
    }

    /// Sends what waits, and waits until what was handed over is sent.
    pub fn finish(&mut self, shared: &Shared, worker: usize) {
        self.end_run(shared, worker);
        self.wait_for_handed(shared, worker);
    }

    fn flush(&mut self, shared: &Shared, worker: usize) {
        let (Some(state), Some(claim)) = (self.sealed.state().cloned(), &mut self.claim) else {
            return self.sealed.clear();
        };
        if claim.is_turn() {
            self.sealed.send(shared, worker);
            claim.sent();
            self.sealed.charge(shared);
            self.sealed.clear();
            if shared.sockets.len() > 1 {
                send_for_others(&state, shared, worker, false);
            }
            return;
        }
        let (handover, spares) = (&state.association.handover, &shared.spares[worker]);
        let send = |turn: Turn<'_, _>| send_turn(turn, shared, worker);
        let in_time = handover.wait(|| spares.is_any() || claim.is_turn(), send);
        let spare = if claim.is_turn() { None } else { spares.take() };
        if let Some(spare) = spare {
            let (first, last) = claim.hand_over();
            self.sealed.charge(shared);
            handover.put(first, last, (worker, std::mem::replace(&mut self.sealed, spare)));
            self.handed = Some(state.clone());
            send_for_others(&state, shared, worker, true);
            return;
        }
        add(&shared.counters.out_of_turn, u64::from(!in_time));
        self.sealed.send(shared, worker);
        claim.sent();
        self.sealed.charge(shared);
        self.sealed.clear();
        send_for_others(&state, shared, worker, false);
    }

    /// Waits until what was handed over is sent.
    fn wait_for_handed(&mut self, shared: &Shared, worker: usize) {
        let Some(state) = self.handed.take() else { return };
        let (handover, spares) = (&state.association.handover, &shared.spares[worker]);
        let send = |turn: Turn<'_, _>| send_turn(turn, shared, worker);
        if !handover.wait(|| spares.is_whole(), send) {
            while let Some(turn) = handover.next_out_of_turn(u64::MAX) {
                send_turn(turn, shared, worker);
            }
            spares.give_up();
        }
    }

    /// Forgets what waits, unsent, with its numbers: after a panic in the middle of it.
    pub fn discard(&mut self) {
        self.claim = None;
        self.sealed.clear();
    }

    /// Gives the memory back while nothing waits.
    pub fn release(&mut self, shared: &Shared, worker: usize) {
        self.sealed.release();
        shared.spares[worker].release();
    }
}

/// What waits to be sent by an SA, and whose buffer it is.
pub type Handed = (usize, Box<Sealed>);

fn send_for_others(state: &SaView, shared: &Shared, worker: usize, has_put: bool) {
    let handover = &state.association.handover;
    for n in 0..FOR_OTHERS {
        if (n > 0 || !has_put) && handover.has_idle() {
            return;
        }
        let Some(turn) = handover.next() else { return };
        send_turn(turn, shared, worker);
    }
}

fn send_turn(mut turn: Turn<'_, Handed>, shared: &Shared, worker: usize) {
    let Some((owner, sealed)) = turn.batch.take() else { return };
    add(&shared.counters.out_of_turn, u64::from(turn.is_late));
    isolated(&shared.counters, || sealed.send(shared, worker));
    shared.spares[owner].put(sealed);
}
