//! Order on the wire: where several workers send by one SA, each seals its own packets at the same time as the others, but
//! they go out in the order of their sequence numbers. A peer's replay window may be no larger than 32 packets, and
//! drops what comes later than that.

use crate::esp::EspError;
use crate::esp::sequence::SequenceCounter;
use std::sync::Arc;
use std::time::Duration;

/// How long a worker waits for those before it. One that does not send for so long has lost its CPU: its packets then come late,
/// and the peer judges them. Shorter than what the daemon's requests wait for packets under way.
/// Tests that are about the order wait longer: a machine that builds beside them may keep anybody from running.
pub const TURN_LIMIT: Duration = Duration::from_millis(if cfg!(test) { 1000 } else { 50 });
/// Sequence numbers in a row that one worker alone uses. Dropping it, also by a panic, lets the others' turn come.
pub struct Claim {
    sequence: Arc<SequenceCounter>,
    /// The first that was not sent.
    unsent: u64,
    /// The first that was not used.
    next: u64,
    end: u64,
}

impl Claim {
    /// The next `count` numbers, or as many as there are left.
    ///
    /// # Errors
    /// [`EspError::Exhausted`].
    pub fn new(sequence: &Arc<SequenceCounter>, count: u64) -> Result<Self, EspError> {
        let (first, last) = sequence.claim(count)?.into_inner();
        Ok(Self { sequence: sequence.clone(), unsent: first, next: first, end: last + 1 })
    }

    /// Sees to it that `count` unused numbers are there, as far as there are so many. `false`, and nothing done, where it is of another
    /// SA, or another worker has claimed numbers meanwhile: they would not be in a row.
    pub fn extend(&mut self, sequence: &Arc<SequenceCounter>, count: u64) -> bool {
        let more = count.saturating_sub(self.end - self.next);
        if !Arc::ptr_eq(&self.sequence, sequence) || !sequence.claim_after(self.end - 1, more) {
            return false;
        }
        self.end += more;
        true
    }

    /// One number, for a packet that is sealed now.
    ///
    /// # Errors
    /// [`EspError::Exhausted`] when all were used.
    pub fn number(&mut self) -> Result<u64, EspError> {
        if self.next == self.end {
            return Err(EspError::Exhausted);
        }
        self.next += 1;
        Ok(self.next - 1)
    }

    /// Whether all lower numbers than those to be sent next have passed.
    pub fn is_turn(&self) -> bool {
        self.sequence.is_turn(self.unsent)
    }

    /// The first that was not sent.
    pub fn first_unsent(&self) -> u64 {
        self.unsent
    }

    /// Whether numbers are left that were not sent, used or not.
    pub fn has_unsent(&self) -> bool {
        self.unsent < self.end
    }

    /// Lets all numbers pass that were not sent, without waiting.
    pub fn give_up(mut self) {
        self.unsent = self.end;
        self.sequence.pass(self.end - 1);
    }

    /// Leaves the sending of all numbers used so far to others: they are the first and the last.
    pub fn hand_over(&mut self) -> (u64, u64) {
        let first = std::mem::replace(&mut self.unsent, self.next);
        (first, self.next - 1)
    }

    /// Sleeps until all lower numbers were sent: for who drops it; who sends does something useful meanwhile
    /// ([`super::handover::Handover::wait`]). `false` where one did not come for [`TURN_LIMIT`].
    pub fn wait(&self) -> bool {
        self.is_turn() || self.sequence.sleep_until_turn(self.unsent, TURN_LIMIT)
    }

    /// The packets of all numbers used so far were sent, or given up.
    pub fn sent(&mut self) {
        self.unsent = self.next;
        self.sequence.pass(self.next - 1);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.unsent < self.end {
            // Not before their turn: those of others with lower numbers would no longer be waited for.
            self.wait();
            self.sequence.pass(self.end - 1);
        }
    }
}
