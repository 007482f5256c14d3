//! Any bytes from a TUN interface: cut into segments without a panic; what comes out are whole IP packets.
#![no_main]

use libfuzzer_sys::fuzz_target;
use uxfrm::inner::icmp;
use uxfrm::inner::ip::Packet;
use uxfrm::inner::segment::Segments;
use uxfrm::inner::virtio::VirtioHeader;

fuzz_target!(|data: &[u8]| {
    let Some((header, packet)) = data.split_first_chunk() else { return };
    let header = VirtioHeader::read(header);
    let mut bytes = packet.to_vec();
    let Some(packet) = Packet::read(&bytes) else { return };
    if let Some(message) = icmp::too_big(&packet, &bytes, 1280) {
        assert_eq!(Packet::read(&message).unwrap().len, message.len());
    }
    let Some(mut segments) = Segments::new(&header, packet, &mut bytes) else { return };
    let full = segments.full_len();
    while let Some(range) = segments.next(&mut bytes) {
        assert!(range.len() <= full);
        let segment = Packet::read(&bytes[range.clone()]).expect("a segment is an IP packet");
        assert_eq!(segment.len, range.len());
    }
});
