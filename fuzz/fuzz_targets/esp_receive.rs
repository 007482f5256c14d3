//! Any bytes as a (coalesced) datagram: no panic, and nothing that was not sealed under the key comes out. Inner packets are sealed,
//! so that the fuzzer reaches what lies behind the integrity check: any bytes, and TCP and UDP with any header and right
//! checksums, which reach the coalescer. What was sealed comes out, each packet as it was and once, in order within a flow;
//! what was damaged or cut on the way does not.
#![no_main]

use causeway_fuzz::natural::{marked, structured};
use causeway_fuzz::packet::{Stream, Train, by_flow};
use libfuzzer_sys::fuzz_target;
use std::ops::Range;
use uxfrm::database::{Clock, Database};
use uxfrm::datapath::receive::{Kind, Opener};
use uxfrm::datapath::{Shared, notice};
use uxfrm::esp::algorithm::{AeadCipher, Algorithm};
use uxfrm::esp::packet::tail;
use uxfrm::esp::transform::{Header, Transform};
use uxfrm::inner::coalesce::{Coalescer, Sink};
use uxfrm::inner::ip::Packet;
use uxfrm::inner::segment::Segments;
use uxfrm::inner::virtio::VirtioHeader;
use uxfrm::sys::receive::Received;
use uxfrm::xfrm::constants::*;
use uxfrm::xfrm::wire::{self, Writer};

const SPI: u32 = 0x1000;

/// What comes out, cut into packets again.
#[derive(Default)]
struct Delivered(Vec<Vec<u8>>);

impl Sink for Delivered {
    fn write(&mut self, interface: u32, header: VirtioHeader, region: &[u8], pieces: &[Range<usize>]) {
        assert_eq!(interface, 7);
        let mut bytes: Vec<u8> = pieces.iter().flat_map(|piece| region[piece.clone()].to_vec()).collect();
        let packet = Packet::read(&bytes).expect("an IP packet");
        assert_eq!(packet.len, bytes.len());
        let mut segments = Segments::new(&header, packet, &mut bytes).expect("a super-packet can be cut");
        while let Some(range) = segments.next(&mut bytes) {
            self.0.push(bytes[range].to_vec());
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
    sa.zeros(32 + 32 + 12).u32(0).u32(5).u16(AF_INET).u8(1).u8(32).u8(XFRM_STATE_AF_UNSPEC).zeros(7);
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
    // IP in IP, or IPv6.
    let next_header = if payload.first().is_some_and(|byte| byte >> 4 == 6) { 41 } else { 4 };
    let (tail, len) = tail(&transform, payload.len(), next_header);
    let mut out = vec![0; transform.packet_len(payload.len())];
    let header = Header { spi: SPI, sequence };
    transform.seal(header, &[9; 8], &[payload, &tail[..len]].concat(), &mut out).unwrap();
    out
}

/// A packet, a bit of it, and bytes that the datagram is cut by.
type Damage = (u8, u16, u8);

/// Length of the datagram's segments, a forged datagram, what is sealed, and what happens to it on the way.
type Input = (u16, Vec<u8>, Vec<Vec<u8>>, Vec<Train>, Option<Option<Damage>>);

fuzz_target!(|data: &[u8]| {
    // A datagram as published, of one packet or two, is forged here: it has another key.
    let published = marked(data, "esp").map(|packet| {
        (packet.len() as u16, packet.repeat(2), Vec::new(), Vec::new(), None)
    });
    let Some(input) = published.or_else(|| structured::<Input>(data)) else { return };
    let (segment, raw, inner, trains, damage) = input;
    let damage = damage.flatten();
    let view = database().view();
    let (notifier, _notices) = notice::channel().unwrap();
    let shared = Shared::new(Vec::new(), notifier, 4500).unwrap();
    let (local, early) = Default::default();
    let mut opener = Opener { coalescer: Coalescer::new(true), now: 1, local, early };
    let mut run = |bytes: &[u8], segment: usize, kind| {
        let mut region = bytes.to_vec();
        let source = "192.0.2.2:4500".parse().ok();
        let local = "192.0.2.1".parse().ok();
        let datagram = Received { start: 0, len: region.len(), segment, source, local, tos: 0 };
        let mut sink = Delivered::default();
        opener.datagram(&shared, &view, &mut region, &datagram, kind, &mut sink);
        opener.coalescer.flush(&mut region, &mut sink);
        sink
    };
    for kind in [Kind::Udp, Kind::RawV4, Kind::RawV6] {
        assert!(run(&raw, segment.into(), kind).0.is_empty(), "forged packets came out");
    }
    let mut stream = Stream::default();
    let built = trains.iter().flat_map(|train| train.packets(&mut stream));
    let inner: Vec<_> =
        inner.into_iter().chain(built).filter(|packet| packet.len() < 2000).take(40).collect();
    // All in one datagram, so that they can be joined: each as long as the longest, by bytes that are no part of the packet.
    let Some(longest) = inner.iter().map(Vec::len).max() else { return };
    let padded = inner.iter().map(|packet| {
        let mut packet = packet.clone();
        packet.resize(longest, 0);
        packet
    });
    let padded: Vec<_> = padded.collect();
    let mut train: Vec<u8> =
        padded.iter().zip(1..).flat_map(|(packet, sequence)| seal(packet, sequence)).collect();
    let segment = train.len() / inner.len();
    // One that is damaged or cut is lost; those beside it are not.
    let lost = damage.filter(|(packet, ..)| usize::from(*packet) < inner.len()).map(|(packet, bit, _)| {
        let start = usize::from(packet) * segment;
        // The SPI's own bits may say that it is another SA's.
        let at = usize::from(bit) % (segment * 8);
        train[start + at / 8] ^= 1 << (at % 8);
        usize::from(packet)
    });
    let cut = damage.filter(|(.., cut)| *cut > 0).map_or(0, |(.., cut)| usize::from(cut) % segment);
    train.truncate(train.len() - cut);
    let last = inner.len() - 1;
    let passes = |index: usize| Some(index) != lost && (cut == 0 || index != last);
    let expected = padded.iter().enumerate().filter(|(index, _)| passes(*index)).filter_map(|(_, packet)| {
        let len = Packet::read(packet)?.len;
        Some(packet[..len].to_vec())
    });
    let expected: Vec<_> = expected.collect();
    let out = run(&train, segment, Kind::Udp);
    assert_eq!(by_flow(&out.0), by_flow(&expected), "what came out is not what was sealed");
    assert!(run(&train, segment, Kind::Udp).0.is_empty(), "replayed packets came out");
});
