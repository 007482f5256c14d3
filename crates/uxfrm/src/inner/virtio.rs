//! `struct virtio_net_hdr`, which a TUN interface puts before each packet.

use crate::sys::tun::VNET_HEADER_LEN;

pub const FLAG_NEEDS_CHECKSUM: u8 = 1;
pub const GSO_NONE: u8 = 0;
pub const GSO_TCPV4: u8 = 1;
pub const GSO_TCPV6: u8 = 4;
pub const GSO_UDP: u8 = 5;
/// The first segment has CWR set.
pub const GSO_ECN: u8 = 0x80;

/// Checksum and segmentation that are still to be done, in native byte order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VirtioHeader {
    pub flags: u8,
    pub gso: u8,
    /// Bytes of IP and transport headers.
    pub header_len: u16,
    /// Payload bytes of each segment.
    pub segment_len: u16,
    /// Where the checksum starts, from the IP header.
    pub checksum_start: u16,
    /// Where it is stored, from `checksum_start`.
    pub checksum_offset: u16,
}

impl VirtioHeader {
    pub fn read(bytes: &[u8; VNET_HEADER_LEN]) -> Self {
        let word = |i: usize| u16::from_ne_bytes([bytes[i], bytes[i + 1]]);
        Self {
            flags: bytes[0],
            gso: bytes[1],
            header_len: word(2),
            segment_len: word(4),
            checksum_start: word(6),
            checksum_offset: word(8),
        }
    }

    pub fn write(&self) -> [u8; VNET_HEADER_LEN] {
        let mut bytes = [0; VNET_HEADER_LEN];
        (bytes[0], bytes[1]) = (self.flags, self.gso);
        let words = [self.header_len, self.segment_len, self.checksum_start, self.checksum_offset];
        for (to, word) in bytes[2..].chunks_exact_mut(2).zip(words) {
            to.copy_from_slice(&word.to_ne_bytes());
        }
        bytes
    }
}
