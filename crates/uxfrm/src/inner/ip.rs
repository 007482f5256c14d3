//! Reading an IP packet.

use crate::xfrm::constants::{AF_INET, AF_INET6};
use crate::xfrm::selector::Flow;

pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
pub const ICMP: u8 = 1;
pub const ICMPV6: u8 = 58;
pub const IPV4_HEADER_LEN: usize = 20;
pub const IPV6_HEADER_LEN: usize = 40;

/// What is known of a packet after reading its headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    pub v6: bool,
    /// Where the transport header starts (after IPv6 extension headers).
    pub transport: usize,
    /// Length of the packet by its own header; what follows is padding.
    pub len: usize,
    /// TOS or traffic class.
    pub tos: u8,
    /// May not be fragmented: DF, or IPv6.
    pub dont_fragment: bool,
    /// Part of a fragmented packet.
    pub fragment: bool,
    pub flow: Flow,
}

fn wide(address: &[u8]) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..address.len()].copy_from_slice(address);
    bytes
}

/// Ports, or ICMP type and code in their place as the kernel's flow decoding has them.
fn ports(packet: &[u8], transport: usize, protocol: u8, fragment_offset: bool) -> (u16, u16) {
    let word = |at: usize| match packet.get(at..at + 2) {
        Some([a, b]) => u16::from_be_bytes([*a, *b]),
        _ => 0,
    };
    match protocol {
        _ if fragment_offset => (0, 0),
        // TCP, UDP, UDP-Lite, SCTP, DCCP.
        TCP | UDP | 136 | 132 | 33 => (word(transport), word(transport + 2)),
        ICMP | ICMPV6 => {
            let [kind, code] = word(transport).to_be_bytes();
            (kind.into(), code.into())
        }
        _ => (0, 0),
    }
}

impl Packet {
    /// `None` for what is no well-formed IPv4 or IPv6 packet.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        match bytes.first()? >> 4 {
            4 => Self::read_v4(bytes),
            6 => Self::read_v6(bytes),
            _ => None,
        }
    }

    fn read_v4(bytes: &[u8]) -> Option<Self> {
        let transport = usize::from(bytes[0] & 15) * 4;
        let header = bytes.get(..transport).filter(|h| h.len() >= IPV4_HEADER_LEN)?;
        let len = usize::from(u16::from_be_bytes([header[2], header[3]]));
        if len < transport || len > bytes.len() {
            return None;
        }
        let fragmentation = u16::from_be_bytes([header[6], header[7]]);
        let protocol = header[9];
        let (source_port, destination_port) =
            ports(&bytes[..len], transport, protocol, fragmentation & 0x1fff != 0);
        Some(Self {
            v6: false,
            transport,
            len,
            tos: header[1],
            dont_fragment: fragmentation & 0x4000 != 0,
            fragment: fragmentation & 0x3fff != 0,
            flow: Flow {
                family: AF_INET,
                source: wide(&header[12..16]),
                destination: wide(&header[16..20]),
                protocol,
                source_port,
                destination_port,
            },
        })
    }

    fn read_v6(bytes: &[u8]) -> Option<Self> {
        let header = bytes.get(..IPV6_HEADER_LEN)?;
        let len = IPV6_HEADER_LEN + usize::from(u16::from_be_bytes([header[4], header[5]]));
        if len > bytes.len() {
            return None;
        }
        let (mut protocol, mut transport) = (header[6], IPV6_HEADER_LEN);
        let (mut fragment, mut later_fragment) = (false, false);
        // Hop-by-hop, routing, destination options; fragment; each with a length of its own.
        while let 0 | 43 | 60 | 44 = protocol {
            let [next, extra, high, low] = *bytes[..len].get(transport..transport + 4)? else { return None };
            if protocol == 44 {
                fragment = true;
                later_fragment |= u16::from_be_bytes([high, low]) & 0xfff8 != 0;
                transport += 8;
            } else {
                transport += 8 + usize::from(extra) * 8;
            }
            protocol = next;
            if transport > len {
                return None;
            }
            if later_fragment {
                break;
            }
        }
        let (source_port, destination_port) = ports(&bytes[..len], transport, protocol, later_fragment);
        Some(Self {
            v6: true,
            transport,
            len,
            tos: header[0] << 4 | header[1] >> 4,
            dont_fragment: true,
            fragment,
            flow: Flow {
                family: AF_INET6,
                source: wide(&header[8..24]),
                destination: wide(&header[24..40]),
                protocol,
                source_port,
                destination_port,
            },
        })
    }

    /// Sum of the pseudo-header for a transport part of `len` bytes.
    pub fn pseudo_header(&self, len: usize) -> u64 {
        let address_len = if self.v6 { 16 } else { 4 };
        super::checksum::pseudo_header(
            &self.flow.source[..address_len],
            &self.flow.destination[..address_len],
            self.flow.protocol,
            len,
        )
    }
}

/// Writes length and checksum into an IPv4 header, or the length into an IPv6 one.
pub fn set_len(header: &mut [u8], v6: bool, len: usize) {
    if v6 {
        header[4..6].copy_from_slice(&((len - IPV6_HEADER_LEN) as u16).to_be_bytes());
    } else {
        header[2..4].copy_from_slice(&(len as u16).to_be_bytes());
        set_ipv4_checksum(header);
    }
}

/// Recomputes an IPv4 header's checksum.
pub fn set_ipv4_checksum(header: &mut [u8]) {
    let header_len = usize::from(header[0] & 15) * 4;
    header[10..12].fill(0);
    let sum = !super::checksum::fold(super::checksum::sum(0, &header[..header_len]));
    header[10..12].copy_from_slice(&sum.to_be_bytes());
}
