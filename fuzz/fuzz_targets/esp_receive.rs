//! Any bytes as a (coalesced) datagram: no panic, and nothing that was not sealed under the key comes out. Inner packets are sealed,
//! so that the fuzzer reaches what lies behind the integrity check: any bytes, and TCP and UDP with any header and right
//! checksums, which reach the coalescer.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use std::ops::Range;
use uxfrm::database::{Clock, Database};
use uxfrm::datapath::receive::{Kind, Opener};
use uxfrm::datapath::{Shared, notice};
use uxfrm::esp::algorithm::{AeadCipher, Algorithm};
use uxfrm::esp::packet::tail;
use uxfrm::esp::transform::{Header, Transform};
use uxfrm::inner::checksum::{fold, sum};
use uxfrm::inner::coalesce::{Coalescer, Sink};
use uxfrm::inner::ip::{Packet, set_ipv4_checksum};
use uxfrm::inner::segment::Segments;
use uxfrm::inner::virtio::VirtioHeader;
use uxfrm::sys::receive::Received;
use uxfrm::xfrm::constants::*;
use uxfrm::xfrm::wire::{self, Writer};

const SPI: u32 = 0x1000;

/// A segment of one of a few flows. Most fields are right unless the fuzzer says otherwise.
#[derive(Arbitrary, Debug)]
struct Segment {
    is_v6: bool,
    is_udp: bool,
    tos: u8,
    fragment: Option<u16>,
    id: u8,
    port: bool,
    /// The number after the segment before where not given.
    sequence: Option<u16>,
    /// Byte 12 and 13 of TCP, or the length of UDP; the usual ones where not given.
    shape: Option<u16>,
    window: u8,
    payload_len: u8,
    damage: Option<u8>,
}

impl Segment {
    /// The packet, with its checksums right. `next` is the sequence number that follows on the segment before.
    fn packet(&self, next: &mut u32) -> Vec<u8> {
        let mut transport = vec![0, u8::from(self.port), 0, 80];
        let payload_len = usize::from(self.payload_len);
        if self.is_udp {
            transport.extend(self.shape.unwrap_or(8 + payload_len as u16).to_be_bytes());
            transport.extend([0, 0]);
        } else {
            let sequence = self.sequence.map_or(*next, u32::from);
            transport.extend(sequence.to_be_bytes());
            transport.extend([0, 0, 0, 9]);
            transport.extend(self.shape.unwrap_or(0x5010).to_be_bytes());
            transport.extend([0, self.window, 0, 0, 0, 0]);
            // As a reader that believes the data offset counts.
            *next = sequence
                .wrapping_add(20 + payload_len as u32)
                .wrapping_sub(u32::from(transport[12] >> 4) * 4);
        }
        transport.resize(transport.len() + payload_len, 7);
        let protocol = if self.is_udp { 17 } else { 6 };
        let mut packet = if self.is_v6 {
            let mut header =
                vec![0x60 | self.tos >> 4, self.tos << 4, 0, 0, 0, transport.len() as u8, protocol, 64];
            header[4] = (transport.len() >> 8) as u8;
            header.extend([[0xfd; 16], [0xfe; 16]].concat());
            header
        } else {
            let mut header = vec![0x45, self.tos, 0, 0, 0, self.id, 0x40, 0, 64, protocol, 0, 0];
            header[2..4].copy_from_slice(&(20 + transport.len() as u16).to_be_bytes());
            header[6..8].copy_from_slice(&self.fragment.unwrap_or(0x4000).to_be_bytes());
            header.extend([10, 0, 0, 1, 10, 0, 0, 2]);
            set_ipv4_checksum(&mut header);
            header
        };
        let at = packet.len();
        packet.extend(transport);
        let read = Packet::read(&packet).expect("a whole packet");
        let checksum_at = at + if self.is_udp { 6 } else { 16 };
        let checksum = !fold(sum(read.pseudo_header(packet.len() - at), &packet[at..]));
        packet[checksum_at..checksum_at + 2].copy_from_slice(&checksum.to_be_bytes());
        if let Some(damage) = self.damage {
            let at = usize::from(damage) % packet.len();
            packet[at] ^= 0x10;
        }
        packet
    }
}

/// Counts what comes out, cut into packets again.
#[derive(Default)]
struct Counter {
    bytes: usize,
    packets: usize,
}

impl Sink for Counter {
    fn write(&mut self, interface: u32, header: VirtioHeader, region: &[u8], pieces: &[Range<usize>]) {
        assert_eq!(interface, 7);
        let mut bytes: Vec<u8> = pieces.iter().flat_map(|piece| region[piece.clone()].to_vec()).collect();
        let packet = Packet::read(&bytes).expect("an IP packet");
        assert_eq!(packet.len, bytes.len());
        let mut segments = Segments::new(&header, packet, &mut bytes).expect("a super-packet can be cut");
        while let Some(range) = segments.next(&mut bytes) {
            self.packets += 1;
            self.bytes += range.len();
        }
    }
}

/// An SA with key 1…1 and a policy for everything, of both families.
fn database() -> Database {
    let mut database = Database::default();
    let clock = Clock { wall: 1, monotonic: 1 };
    let header = |kind| wire::Header { kind, flags: NLM_F_REQUEST | NLM_F_ACK, sequence: 1, port: 0 };
    let if_id = |w: &mut Writer| {
        w.attribute(XFRMA_IF_ID, |w| {
            w.u32(7);
        });
    };
    let mut sa = Writer::new(header(NEWSA));
    // Selector, address, SPI and protocol, source, no limits; then the rest of xfrm_usersa_info.
    sa.zeros(56).bytes(&[192, 0, 2, 1]).zeros(12).be32(SPI).u8(50).zeros(3).bytes(&[192, 0, 2, 2]).zeros(12);
    for _ in 0..4 {
        sa.u64(XFRM_INF);
    }
    sa.zeros(32 + 32 + 12).u32(0).u32(5).u16(AF_INET).u8(1).u8(32).u8(0).zeros(7);
    sa.attribute(XFRMA_ALG_AEAD, |w| {
        w.bytes(b"rfc4106(gcm(aes))").zeros(64 - 17).u32(160).u32(128).bytes(&[1; 20]);
    });
    sa.attribute(XFRMA_ENCAP, |w| {
        w.u16(2).be16(4500).be16(4500).zeros(18);
    });
    if_id(&mut sa);
    database.handle_datagram(&sa.finish(), clock);
    for (family, direction) in
        [AF_INET, AF_INET6].into_iter().flat_map(|f| [(f, XFRM_POLICY_IN), (f, XFRM_POLICY_FWD)])
    {
        let mut policy = Writer::new(header(NEWPOLICY));
        policy.zeros(32).zeros(8).u16(family).zeros(14).zeros(64 + 32).u32(1).u32(0).u8(direction).zeros(7);
        policy.attribute(XFRMA_TMPL, |w| {
            w.zeros(20).u8(50).zeros(3).u16(AF_INET).zeros(2).zeros(16).u32(5).u8(1).zeros(15);
        });
        if_id(&mut policy);
        database.handle_datagram(&policy.finish(), clock);
    }
    assert_eq!((database.states.len(), database.policies.len()), (1, 4));
    database
}

fn seal(payload: &[u8], sequence: u64) -> Vec<u8> {
    let algorithm = Algorithm::Aead { cipher: AeadCipher::Aes128Gcm, icv: 16 };
    let transform = Transform::new(algorithm, &[1; 20], &[], false).unwrap();
    let (tail, len) = tail(&transform, payload.len(), 4);
    let mut out = vec![0; transform.packet_len(payload.len())];
    let header = Header { spi: SPI, sequence };
    transform.seal(header, &[9; 8], &[payload, &tail[..len]].concat(), &mut out).unwrap();
    out
}

fuzz_target!(|input: (u16, Vec<u8>, Vec<Vec<u8>>, Vec<Segment>)| {
    let (segment, raw, inner, segments) = input;
    let view = database().view();
    let (notifier, _notices) = notice::channel().unwrap();
    let shared = Shared::new(Vec::new(), notifier, 4500).unwrap();
    let mut opener = Opener { coalescer: Coalescer::new(true), now: 1, local: Default::default() };
    let mut run = |bytes: &[u8], segment: usize, kind| {
        let mut region = bytes.to_vec();
        let source = "192.0.2.2:4500".parse().ok();
        let local = "192.0.2.1".parse().ok();
        let datagram = Received { start: 0, len: region.len(), segment, source, local, tos: 0 };
        let mut sink = Counter::default();
        opener.datagram(&shared, &view, &mut region, &datagram, kind, &mut sink);
        opener.coalescer.flush(&mut region, &mut sink);
        sink
    };
    for kind in [Kind::Udp, Kind::RawV4, Kind::RawV6] {
        assert_eq!(run(&raw, segment.into(), kind).packets, 0, "forged packets came out");
    }
    let mut next = 1;
    let built = segments.iter().map(|segment| segment.packet(&mut next));
    let inner: Vec<_> =
        inner.into_iter().chain(built).filter(|packet| packet.len() < 2000).take(40).collect();
    // All in one datagram, so that they can be joined: each as long as the longest, by bytes that are no part of the packet.
    let Some(longest) = inner.iter().map(Vec::len).max() else { return };
    let padded = inner.iter().zip(1..).map(|(packet, sequence)| {
        let mut packet = packet.clone();
        packet.resize(longest, 0);
        seal(&packet, sequence)
    });
    let train: Vec<u8> = padded.flatten().collect();
    let segment = train.len() / inner.len();
    let out = run(&train, segment, Kind::Udp);
    assert!(out.packets <= inner.len());
    assert!(out.bytes <= inner.len() * longest);
    assert_eq!(run(&train, segment, Kind::Udp).packets, 0, "replayed packets came out");
});
