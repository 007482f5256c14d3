//! `struct xfrm_lifetime_cfg` and `struct xfrm_lifetime_cur`.

use super::constants::XFRM_INF;
use super::wire::{Errno, Reader, Writer};

/// Limits of an SA. Bytes and packets: [`XFRM_INF`] is none. Seconds: 0 is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub soft_bytes: u64,
    pub hard_bytes: u64,
    pub soft_packets: u64,
    pub hard_packets: u64,
    /// Seconds since the SA was added.
    pub soft_add: u64,
    pub hard_add: u64,
    /// Seconds since the SA was first used.
    pub soft_use: u64,
    pub hard_use: u64,
}

impl Limits {
    /// No limit at all.
    pub const NONE: Self = Self {
        soft_bytes: XFRM_INF,
        hard_bytes: XFRM_INF,
        soft_packets: XFRM_INF,
        hard_packets: XFRM_INF,
        soft_add: 0,
        hard_add: 0,
        soft_use: 0,
        hard_use: 0,
    };

    /// # Errors
    /// `EINVAL` where bytes are missing.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Errno> {
        Ok(Self {
            soft_bytes: reader.u64()?,
            hard_bytes: reader.u64()?,
            soft_packets: reader.u64()?,
            hard_packets: reader.u64()?,
            soft_add: reader.u64()?,
            hard_add: reader.u64()?,
            soft_use: reader.u64()?,
            hard_use: reader.u64()?,
        })
    }

    pub fn write(&self, writer: &mut Writer) {
        writer.u64(self.soft_bytes).u64(self.hard_bytes).u64(self.soft_packets).u64(self.hard_packets);
        writer.u64(self.soft_add).u64(self.hard_add).u64(self.soft_use).u64(self.hard_use);
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::NONE
    }
}

/// What an SA or policy has done so far; times in seconds of the Unix epoch, 0 for never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    pub bytes: u64,
    pub packets: u64,
    pub add_time: u64,
    pub use_time: u64,
}

impl Usage {
    /// # Errors
    /// `EINVAL` where bytes are missing.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Errno> {
        Ok(Self {
            bytes: reader.u64()?,
            packets: reader.u64()?,
            add_time: reader.u64()?,
            use_time: reader.u64()?,
        })
    }

    pub fn write(&self, writer: &mut Writer) {
        writer.u64(self.bytes).u64(self.packets).u64(self.add_time).u64(self.use_time);
    }
}
