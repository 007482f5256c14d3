//! "Packet too big" messages back to the sender inside (RFC 1191, RFC 8201).

use super::checksum::{fold, pseudo_header, sum};
use super::ip::{ICMPV6, IPV6_HEADER_LEN, Packet, set_ipv4_checksum};

/// Longest message, in bytes: IPv6's minimum MTU.
const MAX_LEN: usize = 1280;

/// The message for a packet that does not fit `mtu` bytes; `None` for packets that must not be answered (RFC 1122 section
/// 3.2.2: errors, later fragments, what has no single sender). It comes from the packet's own destination, as this gateway
/// may have no address inside.
pub fn too_big(packet: &Packet, bytes: &[u8], mtu: u16) -> Option<Vec<u8>> {
    let flow = &packet.flow;
    if packet.fragment && flow.source_port == 0 && flow.destination_port == 0 {
        return None;
    }
    if packet.v6 { too_big_v6(packet, bytes, mtu) } else { too_big_v4(packet, bytes, mtu) }
}

fn too_big_v4(packet: &Packet, bytes: &[u8], mtu: u16) -> Option<Vec<u8>> {
    let (source, destination) = (&packet.flow.source[..4], &packet.flow.destination[..4]);
    let is_icmp_error = packet.flow.protocol == 1 && matches!(packet.flow.source_port, 3 | 4 | 5 | 11 | 12);
    if is_icmp_error || source[0] >= 224 || destination[0] >= 224 || source == [0; 4] {
        return None;
    }
    let quoted = &bytes[..packet.len.min(packet.transport + 8)];
    let mut message = vec![0x45, 0xc0, 0, 0, 0, 0, 0, 0, 64, 1, 0, 0];
    message.extend_from_slice(destination);
    message.extend_from_slice(source);
    // Destination unreachable, fragmentation needed and DF set.
    message.extend_from_slice(&[3, 4, 0, 0, 0, 0]);
    message.extend_from_slice(&mtu.to_be_bytes());
    message.extend_from_slice(quoted);
    let len = (message.len() as u16).to_be_bytes();
    message[2..4].copy_from_slice(&len);
    set_ipv4_checksum(&mut message);
    let checksum = !fold(sum(0, &message[20..]));
    message[22..24].copy_from_slice(&checksum.to_be_bytes());
    Some(message)
}

fn too_big_v6(packet: &Packet, bytes: &[u8], mtu: u16) -> Option<Vec<u8>> {
    let (source, destination) = (&packet.flow.source, &packet.flow.destination);
    let is_icmp_error = packet.flow.protocol == ICMPV6 && packet.flow.source_port < 128;
    if is_icmp_error || source[0] == 0xff || destination[0] == 0xff || source == &[0; 16] {
        return None;
    }
    let quoted = &bytes[..packet.len.min(MAX_LEN - IPV6_HEADER_LEN - 8)];
    let mut message = vec![0x60, 0, 0, 0, 0, 0, ICMPV6, 64];
    message.extend_from_slice(destination);
    message.extend_from_slice(source);
    message.extend_from_slice(&[2, 0, 0, 0, 0, 0]);
    message.extend_from_slice(&mtu.to_be_bytes());
    message.extend_from_slice(quoted);
    let len = message.len() - IPV6_HEADER_LEN;
    message[4..6].copy_from_slice(&(len as u16).to_be_bytes());
    let checksum = !fold(sum(pseudo_header(destination, source, ICMPV6, len), &message[IPV6_HEADER_LEN..]));
    message[IPV6_HEADER_LEN + 2..IPV6_HEADER_LEN + 4].copy_from_slice(&checksum.to_be_bytes());
    Some(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_the_packet_and_its_checksums_are_right() {
        let mut packet = vec![0x45, 0, 0, 100, 0, 1, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        packet.resize(100, 7);
        set_ipv4_checksum(&mut packet);
        let read = Packet::read(&packet).unwrap();
        let message = too_big(&read, &packet, 1300).unwrap();
        assert_eq!(fold(sum(0, &message[..20])), 0xffff);
        assert_eq!(fold(sum(0, &message[20..])), 0xffff);
        assert_eq!(&message[16..20], &[10, 0, 0, 1]);
        assert_eq!(&message[26..28], &1300u16.to_be_bytes());
        assert_eq!(&message[28..], &packet[..28]);
    }
}
