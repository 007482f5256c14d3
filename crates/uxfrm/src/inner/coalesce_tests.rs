use super::*;
use crate::inner::ip::set_ipv4_checksum;
use crate::inner::segment::Segments;
use proptest::prelude::*;

/// Collects what is written, cut into packets again.
#[derive(Default)]
struct Segmented {
    packets: Vec<Vec<u8>>,
    writes: usize,
    /// Packets of the largest write.
    most: usize,
}

impl Sink for Segmented {
    fn write(&mut self, _: u32, header: VirtioHeader, region: &[u8], pieces: &[Range<usize>]) {
        self.writes += 1;
        self.most = self.most.max(pieces.len());
        let mut bytes: Vec<u8> = pieces.iter().flat_map(|p| region[p.clone()].to_vec()).collect();
        let packet = Packet::read(&bytes).unwrap();
        assert_eq!(packet.len, bytes.len());
        let mut segments = Segments::new(&header, packet, &mut bytes).unwrap();
        while let Some(range) = segments.next(&mut bytes) {
            self.packets.push(bytes[range].to_vec());
        }
    }
}

fn finish(mut packet: Vec<u8>, at: usize) -> Vec<u8> {
    if packet[0] >> 4 == 4 {
        set_ipv4_checksum(&mut packet);
    }
    let read = Packet::read(&packet).unwrap();
    packet[read.transport + at..read.transport + at + 2].fill(0);
    let sum = !fold(sum(read.pseudo_header(read.len - read.transport), &packet[read.transport..]));
    packet[read.transport + at..read.transport + at + 2].copy_from_slice(&sum.to_be_bytes());
    packet
}

fn network(v6: bool, protocol: u8, id: u16, transport_len: usize) -> Vec<u8> {
    if v6 {
        let mut header = vec![0x60, 0, 0, 0, 0, 0, protocol, 64];
        header[4..6].copy_from_slice(&(transport_len as u16).to_be_bytes());
        header.extend([0xfd; 16]);
        header.extend([0xfe; 16]);
        return header;
    }
    let mut header = vec![0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    header[2..4].copy_from_slice(&(20 + transport_len as u16).to_be_bytes());
    header[4..6].copy_from_slice(&id.to_be_bytes());
    header
}

fn tcp(v6: bool, id: u16, port: u16, sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = network(v6, TCP, id, 20 + payload.len());
    packet.extend(port.to_be_bytes());
    packet.extend([0, 80]);
    packet.extend(sequence.to_be_bytes());
    packet.extend([0, 0, 0, 9, 0x50, flags, 1, 0, 0, 0, 0, 0]);
    packet.extend(payload);
    finish(packet, 16)
}

fn udp(v6: bool, id: u16, port: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = network(v6, UDP, id, 8 + payload.len());
    packet.extend(port.to_be_bytes());
    packet.extend([0, 53]);
    packet.extend((8 + payload.len() as u16).to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(payload);
    finish(packet, 6)
}

fn run(packets: &[Vec<u8>]) -> Segmented {
    let mut region: Vec<u8> = packets.concat();
    let (mut coalescer, mut sink, mut start) = (Coalescer::new(true), Segmented::default(), 0);
    for packet in packets {
        let read = Packet::read(packet).unwrap();
        coalescer.push(0, read, &mut region, start..start + packet.len(), &mut sink);
        start += packet.len();
    }
    coalescer.flush(&mut region, &mut sink);
    sink
}

#[test]
fn a_stream_becomes_one_write_and_comes_out_the_same() {
    for v6 in [false, true] {
        let packets: Vec<_> =
            (0..40u32).map(|i| tcp(v6, i as u16, 1000, 5 + i * 1000, 0x10, &[i as u8; 1000])).collect();
        let out = run(&packets);
        assert_eq!((out.writes, &out.packets), (1, &packets));
        let packets: Vec<_> = (0..40u32).map(|i| udp(v6, i as u16, 1000, &[i as u8; 200])).collect();
        let out = run(&packets);
        assert_eq!((out.writes, &out.packets), (1, &packets));
    }
}

/// The kernel refuses UDP super-packets of more segments than it would send itself: 64 before Linux 6.10, 128 since.
#[test]
fn a_write_has_no_more_datagrams_than_kernels_take() {
    for v6 in [false, true] {
        let packets: Vec<_> = (0..300u32).map(|i| udp(v6, i as u16, 1000, &[i as u8; 64])).collect();
        let out = run(&packets);
        assert_eq!((out.writes, out.most, out.packets == packets), (5, 64, true));
        let packets: Vec<_> =
            (0..300u32).map(|i| tcp(v6, i as u16, 1000, 5 + i * 64, 0x10, &[i as u8; 64])).collect();
        let out = run(&packets);
        assert_eq!((out.writes, out.most, out.packets == packets), (3, 128, true));
    }
}

#[test]
fn a_wrong_checksum_is_never_hidden() {
    let mut bad = tcp(false, 1, 1000, 1005, 0x10, &[1; 1000]);
    *bad.last_mut().unwrap() ^= 1;
    let packets =
        [tcp(false, 0, 1000, 5, 0x10, &[0; 1000]), bad, tcp(false, 2, 1000, 2005, 0x10, &[2; 1000])];
    let out = run(&packets);
    assert_eq!((out.writes, &out.packets[..]), (3, &packets[..]));
}

/// Whatever of a header differs between two segments that follow each other, neither loses what it says.
#[test]
fn segments_that_differ_are_not_joined() {
    let at = |packet: &mut Vec<u8>, offset: usize, value: u8| packet[offset] = value;
    let pair = |v6: bool, change: &dyn Fn(&mut Vec<u8>)| {
        let mut second = tcp(v6, 1, 1000, 105, 0x10, &[2; 100]);
        change(&mut second);
        [tcp(v6, 0, 1000, 5, 0x10, &[1; 100]), finish(second, 16)]
    };
    let assert_apart = |packets: [Vec<u8>; 2], what: &str| {
        let out = run(&packets);
        assert_eq!((out.writes, &out.packets[..]), (2, &packets[..]), "{what}");
    };
    for v6 in [false, true] {
        assert_eq!(run(&pair(v6, &|_| {})).writes, 1);
        let tcp_at = if v6 { 40 } else { 20 };
        let fields =
            [(8, "acknowledgement"), (12, "reserved bits"), (14, "window"), (15, "window"), (19, "urgent")];
        for (offset, what) in fields {
            let value = if offset == 12 { 0x51 } else { 77 };
            assert_apart(pair(v6, &|packet| at(packet, tcp_at + offset, value)), what);
        }
        for (flag, what) in [(1, "FIN"), (2, "SYN"), (4, "RST"), (0x20, "URG"), (0x40, "ECE"), (0x80, "CWR")]
        {
            assert_apart(pair(v6, &|packet| at(packet, tcp_at + 13, 0x10 | flag)), what);
        }
    }
    let fields = [(1, 0x10, "TOS"), (6, 0, "DF"), (8, 63, "TTL")];
    for (offset, value, what) in fields {
        assert_apart(pair(false, &|packet| at(packet, offset, value)), what);
    }
    let fields =
        [(0, 0x61, "traffic class"), (1, 0x20, "traffic class"), (3, 1, "flow label"), (7, 63, "hop limit")];
    for (offset, value, what) in fields {
        assert_apart(pair(true, &|packet| at(packet, offset, value)), what);
    }
    // Options: the same are joined, others not.
    let with_option = |id, sequence, value| {
        let mut packet = tcp(false, id, 1000, sequence, 0x10, &[5; 112]);
        packet[32] = 0x80;
        packet[40..52].copy_from_slice(&[1, 1, 8, 10, 0, 0, 0, value, 0, 0, 0, 1]);
        finish(packet, 16)
    };
    assert_eq!(run(&[with_option(0, 5, 1), with_option(1, 105, 1)]).writes, 1);
    assert_apart([with_option(0, 5, 1), with_option(1, 105, 2)], "options");
}

#[test]
fn a_damaged_ipv4_header_is_passed_as_it_is() {
    let damaged = |id, sequence| {
        let mut packet = tcp(false, id, 1000, sequence, 0x10, &[1; 100]);
        packet[10] ^= 0x11;
        packet
    };
    let packets = [damaged(0, 5), damaged(1, 105)];
    let out = run(&packets);
    assert_eq!((out.writes, &out.packets[..]), (2, &packets[..]));
}

/// Headers whose length fields lie come out as they went in, and are joined with nothing.
#[test]
fn impossible_header_lengths_are_passed_as_they_are() {
    for v6 in [false, true] {
        for offset in 0..16u8 {
            let one = |id: u16, sequence| {
                let mut packet = tcp(v6, id, 1000, sequence, 0x10, &[7; 40]);
                let at = Packet::read(&packet).unwrap().transport;
                packet[at + 12] = offset << 4;
                finish(packet, 16)
            };
            // The payload as the offset has it: 40 bytes with one of 5, none with one of 15.
            let payload = 60u32.saturating_sub(u32::from(offset) * 4);
            let packets = [one(0, 5), one(1, 5 + payload)];
            let out = run(&packets);
            assert_eq!(out.packets, packets, "offset {offset}");
            assert_eq!(out.writes, if (5..15).contains(&offset) { 1 } else { 2 }, "offset {offset}");
        }
        for len in [0, 7, 8, 27, 29, 0xffff] {
            let one = |id: u16| {
                let mut packet = udp(v6, id, 1000, &[7; 20]);
                let at = Packet::read(&packet).unwrap().transport;
                packet[at + 4..at + 6].copy_from_slice(&u16::to_be_bytes(len));
                finish(packet, 6)
            };
            let packets = [one(0), one(1)];
            assert_eq!((run(&packets).writes, run(&packets).packets), (2, packets.to_vec()), "length {len}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    /// Whatever is mixed: every packet comes out as it went in, and each flow keeps its order.
    #[test]
    fn nothing_is_changed_or_reordered(
        steps in prop::collection::vec((0u16..4, 0u8..6, any::<bool>(), 1usize..300), 1..60)
    ) {
        let mut sequences = [100u32; 4];
        let packets: Vec<_> = steps.iter().enumerate().map(|(i, (port, kind, v6, len))| {
            let payload = vec![i as u8; if *kind < 4 { 200 } else { *len }];
            let sequence = &mut sequences[usize::from(*port)];
            let at = *sequence;
            match kind {
                0 | 4 => { *sequence += payload.len() as u32; tcp(false, i as u16, *port, at, 0x10, &payload) }
                1 => { *sequence += payload.len() as u32; tcp(false, i as u16, *port, at, 0x18, &payload) }
                2 => tcp(*v6, i as u16, *port, at.wrapping_add(7), 0x10, &payload),
                _ => udp(*v6, i as u16, *port, &payload),
            }
        }).collect();
        let out = run(&packets);
        let by_flow = |list: &[Vec<u8>]| {
            let mut flows = std::collections::BTreeMap::<_, Vec<Vec<u8>>>::new();
            for packet in list {
                let flow = Packet::read(packet).unwrap().flow;
                let mut packet = packet.clone();
                // The identification of a packet with DF means nothing (RFC 6864 section 4).
                if flow.family == 2 {
                    packet[4..6].fill(0);
                    set_ipv4_checksum(&mut packet);
                }
                flows.entry((flow.family, flow.protocol, flow.source_port)).or_default().push(packet);
            }
            flows
        };
        prop_assert!(by_flow(&out.packets) == by_flow(&packets));
    }
}
