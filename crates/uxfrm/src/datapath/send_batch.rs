//! What a worker seals, on its way out in the order of its numbers: sent at once where it is its turn, handed over where others
//! come first.

use super::association::SaView;
use super::counters::add;
use super::handover::Turn;
use super::isolation::isolated;
pub use super::sealed::OuterHeader;
use super::sealed::Sealed;
use super::shared::Shared;
use super::turn::Claim;
use crate::esp::EspError;
use std::sync::Arc;

/// Batches of others that a worker sends in a row while it has packets of its own to seal.
const FOR_OTHERS: usize = 4;

/// Collects packets of one SA, and sends them or has them sent.
pub struct SendBatch {
    sealed: Sealed,
    /// The sequence numbers of what waits and of what is still to come, and their SA.
    claim: Option<(Claim, Arc<SaView>)>,
    /// The SA by which batches were handed over that are not known to be sent, and the last of their numbers.
    handed: Option<(Arc<SaView>, u64)>,
}

/// A batch that was handed over, and the worker whose buffer it is.
pub struct Handed {
    owner: usize,
    sealed: Sealed,
    /// What its worker waits for: see [`super::spares::Spares::give_up`].
    round: u64,
}

impl SendBatch {
    /// # Errors
    /// Where memory cannot be had.
    pub fn new(shared: &Shared, worker: usize) -> std::io::Result<Self> {
        if shared.sockets.len() > 1 {
            shared.spares[worker].fill()?;
        }
        Ok(Self { sealed: Sealed::new()?, claim: None, handed: None })
    }

    /// Sees to it that there are sequence numbers for `count` packets of an SA, as far as it has so many left.
    ///
    /// # Errors
    /// [`EspError::Exhausted`] where it has none.
    pub fn claim(
        &mut self,
        state: &Arc<SaView>,
        count: u64,
        shared: &Shared,
        worker: usize,
    ) -> Result<(), EspError> {
        let sequence = &state.association.sequence;
        if !self.claim.as_mut().is_some_and(|(claim, _)| claim.extend(sequence, count)) {
            self.end_run(shared, worker);
            // One at a time: so it can wait for what it has left to others in one place.
            let same = |(handed, _): &(Arc<SaView>, _)| Arc::ptr_eq(&handed.association, &state.association);
            if !self.handed.as_ref().is_none_or(same) {
                self.wait_for_handed(shared, worker);
            }
            self.claim = Some((Claim::new(sequence, count)?, state.clone()));
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
        let (claim, _) = self.claim.as_mut().ok_or(EspError::Exhausted)?;
        Ok((claim.number()?, self.sealed.room(len)))
    }

    /// Takes the packet that was written to [`SendBatch::room`]; `payload` are its inner bytes.
    pub fn commit(&mut self, len: usize, payload: usize) {
        self.sealed.commit(len, payload);
    }

    /// Sends what waits or hands it over, and lets the numbers go that were claimed and not used.
    pub fn end_run(&mut self, shared: &Shared, worker: usize) {
        self.flush(shared, worker);
        let Some((claim, state)) = self.claim.take() else { return };
        if claim.has_unsent() {
            // Not before their turn: those of others with lower numbers would no longer be waited for.
            let handover = &state.association.handover;
            if !handover.wait(|| claim.is_turn(), |turn| send_turn(turn, shared, worker)) {
                send_out_of_turn(&state, claim.first_unsent(), shared, worker);
            }
            claim.give_up();
        }
    }

    /// Sends what waits, also what was handed over: when this returns, the last packet is on its way.
    pub fn finish(&mut self, shared: &Shared, worker: usize) {
        self.end_run(shared, worker);
        self.wait_for_handed(shared, worker);
    }

    /// Forgets what waits, unsent, with its numbers: after a panic in the middle of it.
    pub fn discard(&mut self, shared: &Shared, worker: usize) {
        self.sealed.clear();
        self.end_run(shared, worker);
    }

    /// Sends what waits, or hands it over.
    fn flush(&mut self, shared: &Shared, worker: usize) {
        let Some((claim, state)) = self.claim.as_mut().filter(|_| !self.sealed.is_empty()) else {
            // An SA for which room was made, and no packet came, is not kept with its keys.
            return self.sealed.clear();
        };
        if !claim.is_turn() {
            let (handover, spares) = (&state.association.handover, &shared.spares[worker]);
            let send = |turn: Turn<'_, _>| send_turn(turn, shared, worker);
            let in_time = handover.wait(|| spares.is_any() || claim.is_turn(), send);
            let spare = if claim.is_turn() { None } else { spares.take() };
            if let Some(spare) = spare {
                let (first, last) = claim.hand_over();
                let sealed = std::mem::replace(&mut self.sealed, spare);
                // Before it is sent, since what is sealed next asks for the SA's limits.
                sealed.charge(shared);
                handover.put(first, last, Handed { owner: worker, sealed, round: spares.round() });
                self.handed = Some((state.clone(), last));
                return send_for_others(state, shared, worker, true);
            }
            if !in_time {
                send_out_of_turn(state, claim.first_unsent(), shared, worker);
                add(&shared.counters.out_of_turn, u64::from(!claim.is_turn()));
            }
        }
        // As those of others: what cannot be sent must not end the worker.
        isolated(&shared.counters, || self.sealed.send(shared, worker));
        claim.sent();
        self.sealed.charge(shared);
        self.sealed.clear();
        send_for_others(state, shared, worker, false);
    }

    /// Waits until what was handed over is sent, or sends it.
    fn wait_for_handed(&mut self, shared: &Shared, worker: usize) {
        let Some((state, last)) = self.handed.take() else { return };
        let (handover, spares) = (&state.association.handover, &shared.spares[worker]);
        if !handover.wait(|| spares.is_whole(), |turn| send_turn(turn, shared, worker)) {
            // Somebody with lower numbers has lost its CPU: they are given up.
            send_out_of_turn(&state, last, shared, worker);
            // Perhaps it has lost it while it was sending this worker's packets.
            spares.give_up();
        }
    }

    /// Gives the memory back while nothing waits.
    pub fn release(&mut self, shared: &Shared, worker: usize) {
        self.sealed.release();
        shared.spares[worker].release();
    }
}

/// Sends what has its turn after this worker's packets. What is left, because somebody else can send it or has to, is sent by them.
fn send_for_others(state: &SaView, shared: &Shared, worker: usize, has_put: bool) {
    let handover = &state.association.handover;
    for sent in 0..FOR_OTHERS {
        // Who does nothing but wait has seen numbers pass, but not that something was put there.
        let may_leave = sent > 0 || !has_put;
        if may_leave && handover.has_idle() {
            return;
        }
        let Some(turn) = handover.next() else { return };
        send_turn(turn, shared, worker);
    }
}

/// Sends what waits and has numbers up to `last`, though lower ones were not sent: before what comes behind it, which it would hold
/// up otherwise, or be overtaken by.
fn send_out_of_turn(state: &SaView, last: u64, shared: &Shared, worker: usize) {
    while let Some(turn) = state.association.handover.next_out_of_turn(last) {
        send_turn(turn, shared, worker);
    }
}

/// Sends what has its turn, brings the buffer back to its worker, and lets the numbers pass: in this order, so that whoever sees
/// that they have passed finds the buffer.
fn send_turn(mut turn: Turn<'_, Handed>, shared: &Shared, worker: usize) {
    let Some(Handed { owner, sealed, round }) = turn.batch.take() else { return };
    add(&shared.counters.out_of_turn, u64::from(turn.is_late));
    isolated(&shared.counters, || sealed.send(shared, worker));
    shared.spares[owner].put(sealed, round);
}
