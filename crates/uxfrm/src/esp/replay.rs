//! The receiver's replay window (RFC 4303 section 3.4.3), with extended sequence numbers (appendix A).

use super::EspError;

/// Largest window, in packets: the kernel's `XFRMA_REPLAY_ESN_MAX` of 4096 bits.
pub const MAX_WINDOW: u32 = 4096;

/// Which sequence numbers were received. Like the kernel's, the bitmap is a ring in which number `s` has bit
/// `(s - 1) % window`, so that it can be exported and imported by `XFRMA_REPLAY_ESN_VAL`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayWindow {
    extended: bool,
    window: u32,
    top: u64,
    bits: Box<[u32]>,
}

impl ReplayWindow {
    /// A window of `window` packets (0: no replay check; more than [`MAX_WINDOW`] counts as that).
    pub fn new(window: u32, extended: bool) -> Self {
        let window = window.min(MAX_WINDOW);
        Self { extended, window, top: 0, bits: vec![0; window.div_ceil(32) as usize].into() }
    }

    /// Takes over a position and its bitmap; missing words count as "all received", so that an import can
    /// never re-admit an old packet.
    pub fn import(&mut self, top: u64, bits: &[u32]) {
        self.top = if self.extended { top } else { top & u64::from(u32::MAX) };
        for (i, word) in self.bits.iter_mut().enumerate() {
            *word = bits.get(i).copied().unwrap_or(u32::MAX);
        }
    }

    /// Highest number received.
    pub fn top(&self) -> u64 {
        self.top
    }

    /// Size in packets.
    pub fn window(&self) -> u32 {
        self.window
    }

    /// The bitmap, as XFRM carries it.
    pub fn bits(&self) -> &[u32] {
        &self.bits
    }

    /// The full sequence number that `low` most likely stands for.
    pub fn infer(&self, low: u32) -> Option<u64> {
        if !self.extended {
            return Some(u64::from(low));
        }
        // Without a window there is no bottom to compare with: take the nearest number.
        let window = if self.window == 0 { 1 << 31 } else { self.window };
        let (high, top_low) = ((self.top >> 32) as u32, self.top as u32);
        let bottom = top_low.wrapping_sub(window - 1);
        let high = if top_low >= window - 1 {
            if low >= bottom { high } else { high.checked_add(1)? }
        } else if low >= bottom && self.top >= u64::from(window) {
            high.checked_sub(1)?
        } else {
            high
        };
        Some(u64::from(high) << 32 | u64::from(low))
    }

    fn bit(&self, sequence: u64) -> (usize, u32) {
        let position = (sequence - 1) % u64::from(self.window);
        ((position / 32) as usize, 1 << (position % 32))
    }

    /// Before the integrity check: the full number of a packet that may be new.
    ///
    /// # Errors
    /// [`EspError::ReplayOld`], [`EspError::Replayed`].
    pub fn check(&self, low: u32) -> Result<u64, EspError> {
        let sequence = self.infer(low).ok_or(EspError::ReplayOld)?;
        self.check_full(sequence).map(|()| sequence)
    }

    fn check_full(&self, sequence: u64) -> Result<(), EspError> {
        if sequence == 0 {
            return Err(EspError::Replayed);
        }
        if self.window == 0 || sequence > self.top {
            return Ok(());
        }
        if self.top - sequence >= u64::from(self.window) {
            return Err(EspError::ReplayOld);
        }
        let (word, mask) = self.bit(sequence);
        if self.bits[word] & mask != 0 { Err(EspError::Replayed) } else { Ok(()) }
    }

    /// After the integrity check: marks the number as received.
    ///
    /// # Errors
    /// As [`ReplayWindow::check`]: a copy may have been accepted since.
    pub fn commit(&mut self, sequence: u64) -> Result<(), EspError> {
        self.check_full(sequence)?;
        if self.window == 0 {
            self.top = self.top.max(sequence);
            return Ok(());
        }
        if sequence > self.top {
            if sequence - self.top >= u64::from(self.window) {
                self.bits.fill(0);
            } else {
                for skipped in self.top + 1..sequence {
                    let (word, mask) = self.bit(skipped);
                    self.bits[word] &= !mask;
                }
            }
            self.top = sequence;
        }
        let (word, mask) = self.bit(sequence);
        self.bits[word] |= mask;
        Ok(())
    }
}

#[cfg(test)]
#[path = "replay_tests.rs"]
mod tests;
