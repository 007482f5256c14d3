//! What comes from a TUN interface is cut into segments without a panic: any bytes, and super-packets whose headers are right
//! but for what the fuzzer changes. What comes out are whole IP packets; those of a right super-packet carry all of it, in
//! order, with right checksums, and are joined to the same again.
#![no_main]

use arbitrary::Arbitrary;
use causeway_fuzz::natural::{marked, structured};
use causeway_fuzz::packet::{Segment, Stream, TCP_LEN, by_flow};
use libfuzzer_sys::fuzz_target;
use std::ops::Range;
use uxfrm::inner::checksum::{fold, sum};
use uxfrm::inner::coalesce::{Coalescer, Sink};
use uxfrm::inner::icmp;
use uxfrm::inner::ip::{Packet, TCP};
use uxfrm::inner::segment::Segments;
use uxfrm::inner::virtio::{FLAG_NEEDS_CHECKSUM, GSO_TCPV4, GSO_TCPV6, GSO_UDP, VirtioHeader};

#[derive(Arbitrary, Debug)]
struct Super {
    segment: Segment,
    more: u16,
    segment_len: u8,
    /// Any other header.
    header: Option<[u8; 10]>,
}

fn cut(header: &VirtioHeader, bytes: &mut [u8]) -> Option<Vec<Vec<u8>>> {
    let packet = Packet::read(bytes)?;
    if let Some(message) = icmp::too_big(&packet, bytes, 1280) {
        assert_eq!(Packet::read(&message).unwrap().len, message.len());
    }
    let mut segments = Segments::new(header, packet, bytes)?;
    let (full, mut all) = (segments.full_len(), Vec::new());
    while let Some(range) = segments.next(bytes) {
        assert!(range.len() <= full);
        let segment = Packet::read(&bytes[range.clone()]).expect("a segment is an IP packet");
        assert_eq!(segment.len, range.len());
        all.push(bytes[range].to_vec());
    }
    Some(all)
}

/// Joins and cuts again.
#[derive(Default)]
struct Again(Vec<Vec<u8>>);

impl Sink for Again {
    fn write(&mut self, _: u32, header: VirtioHeader, region: &[u8], pieces: &[Range<usize>]) {
        let mut bytes: Vec<u8> = pieces.iter().flat_map(|piece| region[piece.clone()].to_vec()).collect();
        self.0.extend(cut(&header, &mut bytes).expect("a super-packet can be cut"));
    }
}

fn super_packet(input: &Super) {
    let mut whole = input.segment.packet(&mut Stream::default(), usize::from(input.more) % 6000);
    let (is_v6, is_udp) = (input.segment.is_v6, input.segment.is_udp);
    let header = VirtioHeader {
        flags: FLAG_NEEDS_CHECKSUM,
        gso: if is_udp {
            GSO_UDP
        } else if is_v6 {
            GSO_TCPV6
        } else {
            GSO_TCPV4
        },
        segment_len: u16::from(input.segment_len) * 4,
        ..VirtioHeader::default()
    };
    let given = input.header.map_or(header, |bytes| VirtioHeader::read(&bytes));
    let (before, packet) = (whole.clone(), Packet::read(&whole));
    let segments = cut(&given, &mut whole);
    let (Some(packet), Some(segments)) = (packet, segments) else { return };
    if input.header.is_some() {
        return;
    }
    let transport_len = |bytes: &[u8]| match packet.flow.protocol {
        TCP => usize::from(bytes[packet.transport + 12] >> 4) * 4,
        _ => 8,
    };
    let start = packet.transport + transport_len(&before);
    let mut carried = Vec::new();
    for segment in &segments {
        let read = Packet::read(segment).unwrap();
        assert_eq!((read.flow, read.transport), (packet.flow, packet.transport));
        let transport = &segment[read.transport..];
        assert_eq!(fold(sum(read.pseudo_header(transport.len()), transport)), 0xffff, "a wrong checksum");
        if packet.flow.protocol == TCP && transport.len() >= TCP_LEN {
            let sequence =
                |bytes: &[u8]| u32::from_be_bytes(bytes[packet.transport + 4..][..4].try_into().unwrap());
            assert_eq!(sequence(segment), sequence(&before).wrapping_add(carried.len() as u32));
        }
        carried.extend_from_slice(&segment[start..]);
    }
    assert_eq!(carried, before[start..packet.len], "not the same payload");
    let (mut coalescer, mut again) = (Coalescer::new(true), Again::default());
    let mut region = segments.concat();
    let mut at = 0;
    for segment in &segments {
        let range = at..at + segment.len();
        at = range.end;
        coalescer.push(7, Packet::read(segment).unwrap(), &mut region, range, &mut again);
    }
    coalescer.flush(&mut region, &mut again);
    assert_eq!(by_flow(&again.0), by_flow(&segments), "joined and cut again it is not the same");
}

/// Whatever a header says of a packet.
fn any(data: &[u8]) {
    if let Some((header, packet)) = data.split_first_chunk() {
        cut(&VirtioHeader::read(header), &mut packet.to_vec());
    }
}

fuzz_target!(|data: &[u8]| {
    if let Some(data) = marked(data, "tun") {
        return any(data);
    }
    let Some((data, built)) = structured::<(Vec<u8>, Super)>(data) else { return };
    any(&data);
    super_packet(&built);
});
