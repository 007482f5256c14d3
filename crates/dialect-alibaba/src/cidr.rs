//! Address ranges and addresses as parameters.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

/// Ranges that belong to the cloud or to no host.
const RESERVED: &[(Ipv4Addr, u8)] = &[
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
];

/// Ranges that a tunnel's link may not have: the cloud uses them itself.
const RESERVED_LINKS: &[Ipv4Addr] = &[
    Ipv4Addr::new(169, 254, 0, 0),
    Ipv4Addr::new(169, 254, 1, 0),
    Ipv4Addr::new(169, 254, 2, 0),
    Ipv4Addr::new(169, 254, 3, 0),
    Ipv4Addr::new(169, 254, 4, 0),
    Ipv4Addr::new(169, 254, 5, 0),
    Ipv4Addr::new(169, 254, 6, 0),
    Ipv4Addr::new(169, 254, 169, 252),
];

/// An IPv4 range without host bits, written in the one way that nobody reads otherwise: no leading zeros, which
/// some take for octal.
pub fn range(text: &str) -> Option<Ipv4Net> {
    let text = text.trim();
    let range: Ipv4Net = text.parse().ok()?;
    (range.addr() == range.network() && range.to_string() == text).then_some(range)
}

/// Whether a range is of addresses that no host has: loopback, multicast, reserved. Traffic can't be chosen by it.
fn is_nobodys(range: &Ipv4Net) -> bool {
    let [first, ..] = range.addr().octets();
    range.prefix_len() > 0 && (first == 127 || first >= 224)
}

/// Whether no address of a range is outside the reserved ones.
fn is_inside_reserved(range: &Ipv4Net) -> bool {
    let reserved = RESERVED.iter().filter_map(|(ip, prefix)| Ipv4Net::new(*ip, *prefix).ok());
    reserved.into_iter().any(|reserved| reserved.contains(range))
}

/// Whether a range shares an address with one that is reserved.
pub fn is_reserved(range: &Ipv4Net) -> bool {
    RESERVED
        .iter()
        .filter_map(|(ip, prefix)| Ipv4Net::new(*ip, *prefix).ok())
        .any(|reserved| reserved.contains(range) || range.prefix_len() > 0 && range.contains(&reserved))
}

/// The range of everything.
pub fn is_everything(range: &IpNet) -> bool {
    range.prefix_len() == 0
}

/// A comma list of ranges of hosts; `None` when one is malformed, nobody's or inside a reserved one, or there are too
/// many or none.
pub fn list(text: &str, most: usize) -> Option<Vec<IpNet>> {
    let of_hosts = |part| range(part).filter(|it| !is_nobodys(it) && !is_inside_reserved(it)).map(IpNet::V4);
    let ranges: Option<Vec<IpNet>> = text.split(',').map(of_hosts).collect();
    ranges.filter(|ranges| !ranges.is_empty() && ranges.len() <= most)
}

/// The public address of a customer gateway: IPv4, in no reserved range.
pub fn customer_address(text: &str) -> Option<IpAddr> {
    let ip: Ipv4Addr = text.parse().ok()?;
    let is_refused = RESERVED
        .iter()
        // The first is not on the page, but no host has it, and strongSwan takes it for "any".
        .chain(&[(Ipv4Addr::UNSPECIFIED, 8), (Ipv4Addr::new(255, 0, 0, 0), 8)])
        .filter_map(|(base, prefix)| Ipv4Net::new(*base, *prefix).ok())
        .any(|reserved| reserved.contains(&ip));
    (!is_refused).then_some(IpAddr::V4(ip))
}

/// Whether a range can be a tunnel's link: a /30 in 169.254.0.0/16 that the cloud does not use.
pub fn is_link(range: &Ipv4Net) -> bool {
    range.prefix_len() == 30 && range.addr().is_link_local() && !RESERVED_LINKS.contains(&range.addr())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_have_no_host_bits() {
        assert!(range("10.0.0.0/8").is_some());
        for wrong in [
            "10.0.0.1/8",
            "10.0.0.0",
            "10.0.0.0/33",
            "fd00::/8",
            "",
            "a",
            "010.0.0.0/8",
            "10.0.0.0/08",
            "10.00.0.0/8",
        ] {
            assert!(range(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn lists_have_bounds() {
        assert_eq!(list("10.0.0.0/8,172.16.0.0/12", 5).unwrap().len(), 2);
        assert_eq!(list("192.168.1.0/24, 192.168.2.0/24", 5).unwrap().len(), 2);
        for all in ["0.0.0.0/0", "0.0.0.0/1", "100.0.0.0/8"] {
            assert!(list(all, 5).is_some(), "{all}");
        }
        for nobodys in [
            "100.64.0.0/10",
            "169.254.9.0/24",
            "224.0.0.0/4",
            "127.0.0.0/8",
            "255.255.255.255/32",
            "10.0.0.0/8,240.0.0.0/4",
        ] {
            assert!(list(nobodys, 5).is_none(), "{nobodys}");
        }
        assert!(list("10.0.0.0/8,", 5).is_none());
        assert!(list("", 5).is_none());
        assert!(list("10.0.0.0/24,10.0.1.0/24", 1).is_none());
    }

    #[test]
    fn customer_addresses() {
        assert!(customer_address("101.12.0.1").is_some());
        assert!(customer_address("10.0.0.1").is_some());
        for wrong in [
            "0.0.0.0",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.1.1",
            "224.0.0.1",
            "239.255.255.255",
            "255.1.1.1",
            "::1",
        ] {
            assert!(customer_address(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn links_are_small_and_not_the_clouds() {
        let is = |text: &str| is_link(&range(text).unwrap());
        assert!(is("169.254.10.0/30"));
        for wrong in ["169.254.10.0/29", "169.254.1.0/30", "169.254.169.252/30", "10.0.0.0/30"] {
            assert!(!is(wrong), "{wrong}");
        }
    }
}
