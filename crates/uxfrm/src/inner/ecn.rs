//! ECN and DSCP through the tunnel (RFC 6040, RFC 4301 section 5.1.2).

use super::checksum::fold;

const ECN: u8 = 3;
const CE: u8 = 3;

/// TOS of the outer header for an inner one. `hide_dscp`: the inner DSCP is not shown; `no_ecn`: nor is ECN.
pub fn outer_tos(inner: u8, hide_dscp: bool, no_ecn: bool) -> u8 {
    let dscp = if hide_dscp { 0 } else { inner & !ECN };
    // RFC 6040 section 4.1, normal mode: copied, CE too.
    dscp | if no_ecn { 0 } else { inner & ECN }
}

/// TOS of the inner packet after decapsulation; `None` where the packet must be dropped (RFC 6040 section 4.2: the outer
/// header says congestion was experienced, and the inner one that its transport cannot learn of it).
pub fn decapsulated_tos(inner: u8, outer: u8, copy_dscp: bool, no_ecn: bool) -> Option<u8> {
    let dscp = if copy_dscp { outer & !ECN } else { inner & !ECN };
    let ecn = match (inner & ECN, outer & ECN) {
        (inner, _) if no_ecn => inner,
        (0, CE) => return None,
        (_, CE) => CE,
        // ECT(0) inside, ECT(1) outside: ECT(1).
        (2, 1) => 1,
        (inner, _) => inner,
    };
    Some(dscp | ecn)
}

/// Changes a packet's TOS or traffic class.
pub fn set_tos(packet: &mut [u8], v6: bool, tos: u8) {
    if v6 {
        packet[0] = packet[0] & 0xf0 | tos >> 4;
        packet[1] = packet[1] & 0x0f | tos << 4;
    } else {
        // Equation 3 of RFC 1624: a checksum that was wrong stays wrong.
        let word = |bytes: &[u8], at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let (old, checksum) = (word(packet, 0), word(packet, 10));
        packet[1] = tos;
        let sum = u64::from(!checksum) + u64::from(!old) + u64::from(word(packet, 0));
        packet[10..12].copy_from_slice(&(!fold(sum)).to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_tos_keeps_the_checksum_right_and_a_wrong_one_wrong() {
        use crate::inner::checksum::sum;
        for (old, new) in (0..=255).flat_map(|old| [0, 1, 2, 3, 0xb8, 255].map(|new| (old, new))) {
            let mut header = vec![0x45, old, 0, 20, 0, 1, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
            crate::inner::ip::set_ipv4_checksum(&mut header);
            let mut damaged = header.clone();
            damaged[19] ^= 1;
            for (packet, right) in [(&mut header, true), (&mut damaged, false)] {
                set_tos(packet, false, new);
                assert_eq!((packet[1], fold(sum(0, packet)) == 0xffff), (new, right), "{old} {new}");
            }
        }
    }

    #[test]
    fn the_outer_header_shows_what_it_may() {
        for (hide_dscp, no_ecn, shown) in
            [(false, false, 0xbb), (true, false, 0x03), (false, true, 0xb8), (true, true, 0)]
        {
            assert_eq!(outer_tos(0xbb, hide_dscp, no_ecn), shown);
        }
        assert_eq!(decapsulated_tos(0x29, 0xbb, true, true), Some(0xb9));
        assert_eq!(decapsulated_tos(0x28, 0xbb, true, true), Some(0xb8), "nothing is said of congestion");
    }

    #[test]
    fn a_traffic_class_is_set_in_its_two_halves() {
        let mut header = vec![0x6f, 0xff, 0xff, 0xff];
        set_tos(&mut header, true, 0x2b);
        assert_eq!(header, [0x62, 0xbf, 0xff, 0xff]);
        let mut packet = [&header[..], &[0; 36]].concat();
        packet[6] = 59;
        assert_eq!(crate::inner::ip::Packet::read(&packet).unwrap().tos, 0x2b);
        set_tos(&mut packet, true, 0);
        assert_eq!(packet[..4], [0x60, 0x0f, 0xff, 0xff], "the flow label stays");
    }

    /// RFC 6040 figure 4: rows are inner Not-ECT, ECT(0), ECT(1), CE; columns the same outer.
    #[test]
    fn figure_4() {
        let (not, ect0, ect1) = (0, 2, 1);
        let table = [
            (not, [Some(not), Some(not), Some(not), None]),
            (ect0, [Some(ect0), Some(ect0), Some(ect1), Some(CE)]),
            (ect1, [Some(ect1), Some(ect1), Some(ect1), Some(CE)]),
            (CE, [Some(CE), Some(CE), Some(CE), Some(CE)]),
        ];
        for (inner, row) in table {
            for (outer, expected) in [not, ect0, ect1, CE].into_iter().zip(row) {
                assert_eq!(decapsulated_tos(inner, outer, false, false), expected, "{inner} {outer}");
            }
        }
    }
}
