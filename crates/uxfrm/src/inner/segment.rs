//! Cutting a super-packet into the packets it stands for, each in place: a segment's headers are written over the end of the
//! segment before it, which the caller has sealed by then. So no payload is copied.

use super::checksum::{fold, sum};
use super::ip::{Packet, TCP, UDP, set_ipv4_checksum};
use super::virtio::{FLAG_NEEDS_CHECKSUM, GSO_ECN, GSO_NONE, GSO_TCPV4, GSO_TCPV6, GSO_UDP, VirtioHeader};
use std::ops::Range;

/// Longest IP and transport headers of a super-packet: IPv4 or IPv6 with a few options, TCP with all.
const MAX_HEADER_LEN: usize = 160;

const TCP_FIN: u8 = 1;
const TCP_PSH: u8 = 8;
const TCP_CWR: u8 = 0x80;

/// Yields the segments of one packet from a TUN interface.
pub struct Segments {
    packet: Packet,
    header: [u8; MAX_HEADER_LEN],
    header_len: usize,
    segment_len: usize,
    /// Sum of the pseudo-header but for the length.
    pseudo_header: u64,
    next: usize,
    index: u32,
    single: bool,
}

impl Segments {
    /// Checks what the header before the packet says. `bytes` are the packet alone.
    /// `None` for what is malformed or not supported.
    pub fn new(virtio: &VirtioHeader, packet: Packet, bytes: &mut [u8]) -> Option<Self> {
        let mut this = Self {
            packet,
            header: [0; MAX_HEADER_LEN],
            header_len: packet.len,
            segment_len: 0,
            pseudo_header: packet.pseudo_header(0),
            next: 0,
            index: 0,
            single: true,
        };
        if virtio.gso & !GSO_ECN == GSO_NONE {
            if virtio.flags & FLAG_NEEDS_CHECKSUM != 0 {
                complete_checksum(virtio, &packet, &mut bytes[..packet.len])?;
            }
            return Some(this);
        }
        let (protocol, v6) = (packet.flow.protocol, packet.v6);
        let transport_len = match virtio.gso & !GSO_ECN {
            GSO_TCPV4 if !v6 && protocol == TCP => usize::from(*bytes.get(packet.transport + 12)? >> 4) * 4,
            GSO_TCPV6 if v6 && protocol == TCP => usize::from(*bytes.get(packet.transport + 12)? >> 4) * 4,
            GSO_UDP if protocol == UDP => 8,
            _ => return None,
        };
        this.header_len = packet.transport + transport_len;
        this.segment_len = virtio.segment_len.into();
        this.next = this.header_len;
        this.single = false;
        let minimum = if protocol == TCP { 20 } else { 8 };
        let header = bytes.get(..this.header_len)?;
        if packet.fragment
            || transport_len < minimum
            || this.segment_len == 0
            || packet.len <= this.header_len
        {
            return None;
        }
        this.header.get_mut(..this.header_len)?.copy_from_slice(header);
        Some(this)
    }

    /// Length of each segment but the last.
    pub fn full_len(&self) -> usize {
        if self.single { self.packet.len } else { (self.header_len + self.segment_len).min(self.packet.len) }
    }

    /// How many segments there are.
    pub fn count(&self) -> usize {
        match self.packet.len.checked_sub(self.header_len) {
            Some(payload) if !self.single => payload.div_ceil(self.segment_len),
            _ => 1,
        }
    }

    /// Completes the next segment in `bytes` and returns where it lies. What lies before it is destroyed.
    pub fn next(&mut self, bytes: &mut [u8]) -> Option<Range<usize>> {
        if self.single {
            return (self.index == 0).then(|| {
                self.index = 1;
                0..self.packet.len
            });
        }
        if self.next >= self.packet.len {
            return None;
        }
        let payload_end = (self.next + self.segment_len).min(self.packet.len);
        let range = self.next - self.header_len..payload_end;
        let last = payload_end == self.packet.len;
        let segment = &mut bytes[range.clone()];
        segment[..self.header_len].copy_from_slice(&self.header[..self.header_len]);
        self.write_network(segment);
        self.write_transport(segment, last);
        self.next = payload_end;
        self.index += 1;
        Some(range)
    }

    fn write_network(&self, segment: &mut [u8]) {
        let len = segment.len();
        if self.packet.v6 {
            segment[4..6].copy_from_slice(&((len - super::ip::IPV6_HEADER_LEN) as u16).to_be_bytes());
        } else {
            segment[2..4].copy_from_slice(&(len as u16).to_be_bytes());
            let id = u16::from_be_bytes([segment[4], segment[5]]).wrapping_add(self.index as u16);
            segment[4..6].copy_from_slice(&id.to_be_bytes());
            set_ipv4_checksum(segment);
        }
    }

    fn write_transport(&self, segment: &mut [u8], last: bool) {
        let len = segment.len() - self.packet.transport;
        let transport = &mut segment[self.packet.transport..];
        let checksum_at = if self.packet.flow.protocol == TCP {
            let sequence = u32::from_be_bytes([transport[4], transport[5], transport[6], transport[7]]);
            let sequence = sequence.wrapping_add(self.index * self.segment_len as u32);
            transport[4..8].copy_from_slice(&sequence.to_be_bytes());
            // FIN and PSH belong to the last byte, CWR to the first segment.
            if !last {
                transport[13] &= !(TCP_FIN | TCP_PSH);
            }
            if self.index > 0 {
                transport[13] &= !TCP_CWR;
            }
            16
        } else {
            transport[4..6].copy_from_slice(&(len as u16).to_be_bytes());
            6
        };
        transport[checksum_at..checksum_at + 2].fill(0);
        let mut checksum = !fold(sum(self.pseudo_header + len as u64, transport));
        if checksum == 0 && self.packet.flow.protocol == UDP {
            checksum = 0xffff;
        }
        transport[checksum_at..checksum_at + 2].copy_from_slice(&checksum.to_be_bytes());
    }
}

/// Does the checksum that the kernel left to us: the field holds the pseudo-header's sum. It lies in the transport header or
/// deeper, in what a tunnel inside carries.
fn complete_checksum(virtio: &VirtioHeader, packet: &Packet, bytes: &mut [u8]) -> Option<()> {
    let start = usize::from(virtio.checksum_start);
    if start < packet.transport {
        return None;
    }
    let at = start + usize::from(virtio.checksum_offset);
    // In UDP zero means that there is none; whose checksum it is cannot be told where it lies deeper. All ones are the same sum.
    let checksum = match !fold(sum(0, bytes.get(start..)?)) {
        0 => 0xffff,
        checksum => checksum,
    };
    bytes.get_mut(at..at + 2)?.copy_from_slice(&checksum.to_be_bytes());
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// UDP within GRE: the checksum that is left to us is not that of the outer transport protocol, and zero would say that there
    /// is none, which a receiver over IPv6 drops.
    #[test]
    fn a_checksum_is_never_left_out() {
        let mut packet = vec![0x45, 0, 0, 52, 0, 1, 0x40, 0, 64, 47, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        // GRE and an inner IPv4 header, whose bytes do not matter, and UDP with words that sum up to all ones.
        packet.resize(44, 0);
        packet.extend([0x10, 0, 0, 53, 0, 8, 0, 0]);
        let so_far = fold(sum(0, &packet[44..]));
        packet[50..52].copy_from_slice(&(0xffff - so_far).to_be_bytes());
        let virtio = VirtioHeader {
            flags: FLAG_NEEDS_CHECKSUM,
            checksum_start: 44,
            checksum_offset: 6,
            ..VirtioHeader::default()
        };
        let read = Packet::read(&packet).unwrap();
        let mut segments = Segments::new(&virtio, read, &mut packet).unwrap();
        assert_eq!(segments.next(&mut packet), Some(0..52));
        assert_eq!(packet[50..52], [0xff, 0xff]);
    }
}
