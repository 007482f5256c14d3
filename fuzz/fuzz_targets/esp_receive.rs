//! Any bytes as a (coalesced) datagram: no panic, and nothing that was not sealed under the key comes out. Bytes after the
//! first few are also sealed as inner packets, so that the fuzzer reaches what lies behind the integrity check.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::ops::Range;
use uxfrm::database::{Clock, Database};
use uxfrm::datapath::receive::{Kind, Opener};
use uxfrm::datapath::{Shared, notice};
use uxfrm::esp::algorithm::{AeadCipher, Algorithm};
use uxfrm::esp::packet::tail;
use uxfrm::esp::transform::{Header, Transform};
use uxfrm::inner::coalesce::{Coalescer, Sink};
use uxfrm::inner::virtio::VirtioHeader;
use uxfrm::sys::receive::Received;
use uxfrm::xfrm::constants::*;
use uxfrm::xfrm::wire::{self, Writer};

const SPI: u32 = 0x1000;

struct Counter(usize);

impl Sink for Counter {
    fn write(&mut self, interface: u32, _: VirtioHeader, region: &[u8], pieces: &[Range<usize>]) {
        assert_eq!(interface, 7);
        self.0 += pieces.iter().map(|piece| region[piece.clone()].len()).sum::<usize>();
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
    for family in [AF_INET, AF_INET6] {
        let mut policy = Writer::new(header(NEWPOLICY));
        policy.zeros(32).zeros(8).u16(family).zeros(14).zeros(64 + 32).u32(1).u32(0).zeros(8);
        policy.attribute(XFRMA_TMPL, |w| {
            w.zeros(20).u8(50).zeros(3).u16(AF_INET).zeros(2).zeros(16).u32(5).u8(1).zeros(15);
        });
        if_id(&mut policy);
        database.handle_datagram(&policy.finish(), clock);
    }
    assert_eq!((database.states.len(), database.policies.len()), (1, 2));
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

fuzz_target!(|input: (u16, Vec<u8>, Vec<Vec<u8>>)| {
    let (segment, raw, inner) = input;
    let view = database().view();
    let (notifier, _notices) = notice::channel().unwrap();
    let shared = Shared::new(Vec::new(), notifier, 4500).unwrap();
    let mut opener = Opener { coalescer: Coalescer::new(true), now: 1 };
    let mut run = |bytes: &[u8], segment: usize, kind| {
        let mut region = bytes.to_vec();
        let source = "192.0.2.2:4500".parse().ok();
        let datagram = Received { start: 0, len: region.len(), segment, source, tos: 0 };
        let mut sink = Counter(0);
        opener.datagram(&shared, &view, &mut region, &datagram, kind, &mut sink);
        opener.coalescer.flush(&mut region, &mut sink);
        sink.0
    };
    for kind in [Kind::Udp, Kind::RawV4, Kind::RawV6] {
        assert_eq!(run(&raw, segment.into(), kind), 0, "forged packets came out");
    }
    // As many as have the first one's length make a coalesced datagram.
    let inner: Vec<_> = inner.into_iter().filter(|packet| packet.len() < 2000).take(20).collect();
    let sealed: Vec<_> = inner.iter().zip(1..).map(|(packet, sequence)| seal(packet, sequence)).collect();
    let Some(first) = sealed.first().map(Vec::len) else { return };
    let train: Vec<u8> = sealed.iter().take_while(|packet| packet.len() == first).flatten().copied().collect();
    let out = run(&train, first, Kind::Udp);
    assert!(out <= inner.iter().map(Vec::len).sum());
    assert_eq!(run(&train, first, Kind::Udp), 0, "replayed packets came out");
});
