//! Packets of TCP and UDP whose fields are right unless the fuzzer says otherwise, and what must be the same of a packet
//! before and after it was joined with others and cut out again.

use arbitrary::Arbitrary;
use uxfrm::inner::checksum::{fold, sum};
use uxfrm::inner::ip::{IPV4_HEADER_LEN, Packet, TCP, UDP, set_ipv4_checksum};

/// Header of TCP without options, in bytes.
pub const TCP_LEN: usize = 20;
const UDP_LEN: usize = 8;

/// A segment of one of a few flows.
#[derive(Arbitrary, Debug, Clone)]
pub struct Segment {
    pub is_v6: bool,
    pub is_udp: bool,
    tos: u8,
    fragment: Option<Option<u16>>,
    /// Added to the identification that follows on the segment before.
    id_step: Option<u8>,
    port: bool,
    /// Where it is not the number after the segment before.
    sequence: Option<Option<u16>>,
    /// The length of UDP, and TCP's header in words (also fewer than it has, and what it says of the payload's bytes).
    shape: Option<Option<u8>>,
    /// Where they are not ACK, or ACK and PSH.
    flags: Option<Option<u8>>,
    is_pushed: bool,
    acknowledged: bool,
    window: bool,
    pub payload_len: u8,
}

/// Segments that follow on each other, alike but for what changes: only such are joined.
#[derive(Arbitrary, Debug, Clone)]
pub struct Train {
    segment: Segment,
    repeats: u8,
    /// One of them is otherwise, from then on.
    turn: Option<(u8, Segment)>,
    /// A bit of one of them is.
    damage: Option<(u8, u16)>,
}

/// Most segments of a train.
const MOST: u8 = 6;

impl Train {
    /// Its packets.
    pub fn packets(&self, stream: &mut Stream) -> Vec<Vec<u8>> {
        let turn = self.turn.as_ref().map(|(at, segment)| (at % MOST, segment));
        let mut packets: Vec<_> = (0..=self.repeats % MOST)
            .map(|index| match turn {
                Some((at, segment)) if index >= at => segment.packet(stream, 0),
                _ => self.segment.packet(stream, 0),
            })
            .collect();
        if let Some((index, bit)) = self.damage {
            let index = usize::from(index) % packets.len();
            let packet = &mut packets[index];
            let at = usize::from(bit) % (packet.len() * 8);
            packet[at / 8] ^= 1 << (at % 8);
        }
        packets
    }
}

/// What the next segment follows on.
#[derive(Default, Debug)]
pub struct Stream {
    sequence: u32,
    id: u16,
    written: usize,
}

impl Segment {
    /// The packet, with its checksums right and `more` bytes of payload.
    pub fn packet(&self, stream: &mut Stream, more: usize) -> Vec<u8> {
        let payload_len = usize::from(self.payload_len) + more;
        let mut transport = vec![0, u8::from(self.port), 0, 80];
        let shape = self.shape.flatten();
        if self.is_udp {
            let len = shape.map_or((UDP_LEN + payload_len) as u16, u16::from);
            transport.extend(len.to_be_bytes());
            transport.extend([0, 0]);
        } else {
            let sequence = self.sequence.flatten().map_or(stream.sequence, u32::from);
            let words = shape.unwrap_or(TCP_LEN as u8 / 4) & 15;
            let flags = self.flags.flatten().unwrap_or(if self.is_pushed { 0x18 } else { 0x10 });
            transport.extend(sequence.to_be_bytes());
            transport.extend([0, 0, 0, u8::from(self.acknowledged)]);
            transport.extend([words << 4, flags, 0, u8::from(self.window), 0, 0, 0, 0]);
            // As a reader that believes the header's length counts.
            let end = sequence.wrapping_add((TCP_LEN + payload_len) as u32);
            stream.sequence = end.wrapping_sub(u32::from(words) * 4);
        }
        // No two pieces of payload are alike.
        transport.extend((stream.written..).take(payload_len).map(|at| (at ^ at >> 8) as u8));
        stream.written += payload_len;
        stream.id = stream.id.wrapping_add(1 + u16::from(self.id_step.unwrap_or(0)));
        let mut packet = self.network_header(transport.len(), stream.id);
        let at = packet.len();
        packet.extend(transport);
        set_transport_checksum(&mut packet, at, self.is_udp);
        packet
    }

    fn network_header(&self, len: usize, id: u16) -> Vec<u8> {
        let protocol = if self.is_udp { UDP } else { TCP };
        if self.is_v6 {
            let mut header = vec![0x60 | self.tos >> 4, self.tos << 4, 0, 0, 0, 0, protocol, 64];
            header[4..6].copy_from_slice(&(len as u16).to_be_bytes());
            header.extend([[0xfd; 16], [0xfe; 16]].concat());
            return header;
        }
        let mut header =
            vec![0x45, self.tos, 0, 0, 0, 0, 0x40, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        header[2..4].copy_from_slice(&((IPV4_HEADER_LEN + len) as u16).to_be_bytes());
        header[4..6].copy_from_slice(&id.to_be_bytes());
        if let Some(fragment) = self.fragment {
            // Without DF, or any fragment.
            header[6..8].copy_from_slice(&fragment.unwrap_or(0).to_be_bytes());
        }
        set_ipv4_checksum(&mut header);
        header
    }
}

fn set_transport_checksum(packet: &mut [u8], at: usize, is_udp: bool) {
    let read = Packet::read(packet).expect("a whole packet");
    let checksum_at = at + if is_udp { 6 } else { 16 };
    packet[checksum_at..checksum_at + 2].fill(0);
    let checksum = !fold(sum(read.pseudo_header(packet.len() - at), &packet[at..]));
    // RFC 768: zero says that there is none.
    let checksum = if is_udp && checksum == 0 { 0xffff } else { checksum };
    packet[checksum_at..checksum_at + 2].copy_from_slice(&checksum.to_be_bytes());
}

/// A packet as it may be compared: without the identification where it means nothing (RFC 6864 section 4.1), and with one of
/// the two forms of a checksum of zero.
pub fn comparable(packet: &[u8]) -> Vec<u8> {
    let mut bytes = packet.to_vec();
    let Some(read) = Packet::read(packet) else { return bytes };
    if !read.v6 {
        if read.dont_fragment && !read.fragment {
            bytes[4..6].fill(0);
            bytes[10..12].fill(0);
        }
        one_zero(&mut bytes[10..12]);
    }
    if !read.fragment && read.flow.protocol == TCP && bytes.len() >= read.transport + TCP_LEN {
        one_zero(&mut bytes[read.transport + 16..read.transport + 18]);
    }
    bytes
}

fn one_zero(checksum: &mut [u8]) {
    if *checksum == [0xff, 0xff] {
        checksum.fill(0);
    }
}

/// Packets of each flow, in order; between flows there is none.
pub fn by_flow(packets: &[Vec<u8>]) -> Vec<(String, Vec<Vec<u8>>)> {
    let mut flows: Vec<(String, Vec<Vec<u8>>)> = Vec::new();
    for packet in packets {
        let flow = format!("{:?}", Packet::read(packet).map(|packet| packet.flow));
        match flows.iter_mut().find(|(known, _)| *known == flow) {
            Some((_, of_it)) => of_it.push(comparable(packet)),
            None => flows.push((flow, vec![comparable(packet)])),
        }
    }
    flows.sort();
    flows
}
