//! Joining packets of one TCP or UDP flow to a super-packet, as the kernel's GRO does: one write to the interface instead
//! of many. Nothing is copied; a super-packet is a list of pieces of the receive buffer. Order within a flow is kept.

use super::checksum::{fold, sum};
use super::ip::{IPV4_HEADER_LEN, IPV6_HEADER_LEN, Packet, TCP, UDP, set_len};
use super::virtio::{FLAG_NEEDS_CHECKSUM, GSO_TCPV4, GSO_TCPV6, GSO_UDP, VirtioHeader};
use std::ops::Range;

/// Flows that are open at a time.
const MAX_FLOWS: usize = 8;
/// Pieces of one super-packet: below the system's limit for vectored writes, with the header.
const MAX_PIECES: usize = 128;
/// Those of UDP: an interface refuses a super-packet that has more segments than the kernel's own sockets may send at once
/// (`UDP_MAX_SEGMENTS`: 64, and 128 since Linux 6.10).
const MAX_UDP_PIECES: usize = 64;
/// Longest super-packet, in bytes: what an IPv4 header can say.
const MAX_LEN: usize = 65_535;

/// Shortest header of TCP (RFC 9293 section 3.1), and that of UDP, in bytes.
const TCP_HEADER_LEN: usize = 20;
const UDP_HEADER_LEN: usize = 8;

const TCP_ACK: u8 = 0x10;
const TCP_PSH: u8 = 8;

/// Takes finished packets.
pub trait Sink {
    /// `pieces` of `region`, in order, are one packet for `interface`.
    fn write(&mut self, interface: u32, header: VirtioHeader, region: &[u8], pieces: &[Range<usize>]);
}

/// A packet that may be joined with others.
#[derive(Clone, Copy)]
struct Candidate {
    header_len: usize,
    payload_len: usize,
    sequence: u32,
    push: bool,
}

struct Flow {
    interface: u32,
    packet: Packet,
    start: usize,
    candidate: Candidate,
    next_sequence: u32,
    len: usize,
    /// No more may follow: a short or pushed segment came.
    closed: bool,
    push: bool,
    pieces: Vec<Range<usize>>,
}

/// Open flows of one batch of packets.
pub struct Coalescer {
    open: Vec<Flow>,
    spare: Vec<Vec<Range<usize>>>,
    /// Whether the interface takes UDP super-packets.
    pub udp: bool,
}

impl Coalescer {
    pub fn new(udp: bool) -> Self {
        Self { open: Vec::with_capacity(MAX_FLOWS), spare: Vec::new(), udp }
    }

    fn candidate(&self, packet: &Packet, bytes: &[u8]) -> Option<Candidate> {
        let network_len = if packet.v6 { IPV6_HEADER_LEN } else { IPV4_HEADER_LEN };
        if packet.fragment || packet.transport != network_len {
            return None;
        }
        // The super-packet's header gets a new checksum, so this one must be right now: what was damaged stays so.
        if !packet.v6 && fold(sum(0, &bytes[..IPV4_HEADER_LEN])) != 0xffff {
            return None;
        }
        let transport = &bytes[network_len..packet.len];
        let (transport_len, sequence, push) = match packet.flow.protocol {
            TCP if transport.len() > TCP_HEADER_LEN && transport[13] & !TCP_PSH == TCP_ACK => {
                let sequence = [transport[4], transport[5], transport[6], transport[7]];
                let push = transport[13] & TCP_PSH != 0;
                // The sender's word: less than a header, or more than the packet, is joined with nothing.
                let header_len = usize::from(transport[12] >> 4) * 4;
                if header_len < TCP_HEADER_LEN {
                    return None;
                }
                (header_len, u32::from_be_bytes(sequence), push)
            }
            // A zero checksum means there is none (RFC 768), which a super-packet could not say.
            UDP if self.udp && transport.len() > UDP_HEADER_LEN && transport[6..8] != [0, 0] => {
                let len = u16::from_be_bytes([transport[4], transport[5]]);
                if usize::from(len) != transport.len() {
                    return None;
                }
                (UDP_HEADER_LEN, 0, false)
            }
            _ => return None,
        };
        if transport_len >= transport.len() {
            return None;
        }
        // The super-packet gets a new checksum, so this one must be right now.
        if fold(sum(packet.pseudo_header(transport.len()), transport)) != 0xffff {
            return None;
        }
        let payload_len = transport.len() - transport_len;
        Some(Candidate { header_len: network_len + transport_len, payload_len, sequence, push })
    }

    /// Takes the packet at `range` of `region`, in order of arrival.
    pub fn push(
        &mut self,
        interface: u32,
        packet: Packet,
        region: &mut [u8],
        range: Range<usize>,
        sink: &mut impl Sink,
    ) {
        let candidate = self.candidate(&packet, &region[range.clone()]);
        // The one that was opened last is the likeliest.
        let position =
            self.open.iter().rposition(|flow| flow.interface == interface && flow.packet.flow == packet.flow);
        if let Some(position) = position {
            if let Some(candidate) = candidate
                && self.open[position].append(&packet, candidate, region, range.start)
            {
                return;
            }
            let flow = self.open.remove(position);
            self.finish(flow, region, sink);
        }
        let Some(candidate) = candidate else {
            let whole = range.start..range.start + packet.len;
            sink.write(interface, VirtioHeader::default(), region, std::slice::from_ref(&whole));
            return;
        };
        if self.open.len() == MAX_FLOWS {
            let oldest = self.open.remove(0);
            self.finish(oldest, region, sink);
        }
        let mut pieces = self.spare.pop().unwrap_or_default();
        pieces.push(range.start..range.start + packet.len);
        self.open.push(Flow {
            interface,
            packet,
            start: range.start,
            candidate,
            next_sequence: candidate.sequence.wrapping_add(candidate.payload_len as u32),
            len: packet.len,
            closed: candidate.push,
            push: candidate.push,
            pieces,
        });
    }

    /// Writes out all that is open: the region is about to be reused.
    pub fn flush(&mut self, region: &mut [u8], sink: &mut impl Sink) {
        let mut open = std::mem::take(&mut self.open);
        for flow in open.drain(..) {
            self.finish(flow, region, sink);
        }
        self.open = open;
    }

    /// Forgets what is open, unwritten: after a panic in the middle of it.
    pub fn discard(&mut self) {
        self.open.clear();
    }

    fn finish(&mut self, mut flow: Flow, region: &mut [u8], sink: &mut impl Sink) {
        let header = if flow.pieces.len() > 1 { flow.write_headers(region) } else { VirtioHeader::default() };
        sink.write(flow.interface, header, region, &flow.pieces);
        flow.pieces.clear();
        self.spare.push(flow.pieces);
    }
}

impl Flow {
    /// Adds a packet if it continues this flow exactly.
    fn append(&mut self, packet: &Packet, new: Candidate, region: &[u8], start: usize) -> bool {
        let first = self.candidate;
        let most = if packet.flow.protocol == UDP { MAX_UDP_PIECES } else { MAX_PIECES };
        let fits = !self.closed
            && new.header_len == first.header_len
            && new.payload_len <= first.payload_len
            && self.len + new.payload_len <= MAX_LEN
            && self.pieces.len() < most
            && self.same_headers(packet, &region[self.start..], &region[start..]);
        if !fits || (packet.flow.protocol == TCP && new.sequence != self.next_sequence) {
            return false;
        }
        self.pieces.push(start + new.header_len..start + packet.len);
        self.len += new.payload_len;
        self.next_sequence = new.sequence.wrapping_add(new.payload_len as u32);
        self.push |= new.push;
        self.closed = new.push || new.payload_len < first.payload_len;
        true
    }

    /// Whether all header fields agree that segmenting the super-packet again would give the same ones.
    fn same_headers(&self, packet: &Packet, first: &[u8], new: &[u8]) -> bool {
        let network = if packet.v6 {
            first[..4] == new[..4] && first[7] == new[7]
        } else {
            let id = |header: &[u8]| u16::from_be_bytes([header[4], header[5]]);
            let consecutive = id(new) == id(first).wrapping_add(self.pieces.len() as u16);
            first[1] == new[1] && first[6..9] == new[6..9] && (packet.dont_fragment || consecutive)
        };
        if packet.flow.protocol == UDP {
            return network;
        }
        let (first, new) = (&first[packet.transport..], &new[packet.transport..]);
        let len = self.candidate.header_len - packet.transport;
        // Acknowledgement, data offset; window; urgent pointer and options; flags are known to be ACK with or without PSH.
        network
            && first[8..13] == new[8..13]
            && first[14..16] == new[14..16]
            && first[18..len] == new[18..len]
    }

    fn write_headers(&self, region: &mut [u8]) -> VirtioHeader {
        let (packet, header_len) = (&self.packet, self.candidate.header_len);
        let header = &mut region[self.start..self.start + header_len];
        set_len(header, packet.v6, self.len);
        let transport_len = self.len - packet.transport;
        let tcp = packet.flow.protocol == TCP;
        let transport = &mut header[packet.transport..];
        if tcp {
            transport[13] |= if self.push { TCP_PSH } else { 0 };
        } else {
            transport[4..6].copy_from_slice(&(transport_len as u16).to_be_bytes());
        }
        let checksum_offset = if tcp { 16 } else { 6 };
        let partial = fold(packet.pseudo_header(transport_len));
        transport[checksum_offset..checksum_offset + 2].copy_from_slice(&partial.to_be_bytes());
        VirtioHeader {
            flags: FLAG_NEEDS_CHECKSUM,
            gso: match (tcp, packet.v6) {
                (true, false) => GSO_TCPV4,
                (true, true) => GSO_TCPV6,
                (false, _) => GSO_UDP,
            },
            header_len: header_len as u16,
            segment_len: self.candidate.payload_len as u16,
            checksum_start: packet.transport as u16,
            checksum_offset: checksum_offset as u16,
        }
    }
}

#[cfg(test)]
#[path = "coalesce_tests.rs"]
mod tests;
