//! `XFRMA_REPLAY_VAL` and `XFRMA_REPLAY_ESN_VAL`: sequence numbers and the replay window.

use super::wire::{Errno, Reader, Writer};
use crate::esp::replay::MAX_WINDOW;

/// Both forms in one: the old one has a 32-packet bitmap and 32-bit numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReplayState {
    /// Sent last.
    pub outbound: u64,
    /// Received highest.
    pub inbound: u64,
    /// Packets; 0 for no check.
    pub window: u32,
    pub bitmap: Vec<u32>,
}

impl ReplayState {
    /// `struct xfrm_replay_state_esn`.
    ///
    /// # Errors
    /// `EINVAL` for a window above 4096 or a bitmap that does not fit it, as the kernel.
    pub fn read_extended(value: &[u8]) -> Result<Self, Errno> {
        let mut reader = Reader::new(value);
        let words = reader.u32()?;
        let (outbound, inbound) = (reader.u32()?, reader.u32()?);
        let (outbound_high, inbound_high) = (reader.u32()?, reader.u32()?);
        let window = reader.u32()?;
        if window > MAX_WINDOW || words > MAX_WINDOW / 32 || window > words * 32 {
            return Err(Errno(libc::EINVAL));
        }
        Ok(Self {
            outbound: u64::from(outbound_high) << 32 | u64::from(outbound),
            inbound: u64::from(inbound_high) << 32 | u64::from(inbound),
            window,
            bitmap: (0..words).map(|_| reader.u32()).collect::<Result<_, _>>()?,
        })
    }

    /// `struct xfrm_replay_state`. Its bitmap has bit 0 for the highest number, unlike the extended form's ring.
    ///
    /// # Errors
    /// `EINVAL` where bytes are missing.
    pub fn read_short(value: &[u8], window: u32) -> Result<Self, Errno> {
        let mut reader = Reader::new(value);
        let (outbound, inbound, recent) = (reader.u32()?, reader.u32()?, reader.u32()?);
        let window = window.min(32);
        let mut bitmap = 0u32;
        for back in (0..window).filter(|back| recent >> back & 1 == 1 && *back < inbound) {
            bitmap |= 1 << ((inbound - back - 1) % window);
        }
        Ok(Self { outbound: outbound.into(), inbound: inbound.into(), window, bitmap: vec![bitmap] })
    }

    /// Writes the value of `XFRMA_REPLAY_ESN_VAL`.
    pub fn write_extended(&self, writer: &mut Writer) {
        writer.u32(self.bitmap.len() as u32).u32(self.outbound as u32).u32(self.inbound as u32);
        writer.u32((self.outbound >> 32) as u32).u32((self.inbound >> 32) as u32).u32(self.window);
        for word in &self.bitmap {
            writer.u32(*word);
        }
    }

    /// Writes the value of `XFRMA_REPLAY_VAL`.
    pub fn write_short(&self, writer: &mut Writer) {
        let window = u64::from(self.window.clamp(1, 32));
        let ring = self.bitmap.first().copied().unwrap_or(0);
        let mut recent = 0u32;
        for back in (0..window.min(self.inbound)).filter(|_| self.window > 0) {
            recent |= (ring >> ((self.inbound - back - 1) % window) & 1) << back;
        }
        writer.u32(self.outbound as u32).u32(self.inbound as u32).u32(recent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xfrm::wire::Header;

    #[test]
    fn the_short_form_survives_the_way_through_the_ring() {
        for inbound in [0u32, 1, 31, 32, 33, 1000] {
            let recent = if inbound == 0 { 0 } else { 0b1011_0101 & (u32::MAX >> (32 - inbound.min(32))) };
            let value = [7u32, inbound, recent].map(u32::to_ne_bytes).concat();
            let state = ReplayState::read_short(&value, 32).unwrap();
            let mut writer = Writer::new(Header { kind: 0, flags: 0, sequence: 0, port: 0 });
            state.write_short(&mut writer);
            assert_eq!(writer.finish()[16..], value);
        }
    }
}
