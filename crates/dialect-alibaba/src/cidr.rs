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

/// An IPv4 range without host bits.
pub fn range(text: &str) -> Option<Ipv4Net> {
    let range: Ipv4Net = text.trim().parse().ok()?;
    (range.addr() == range.network()).then_some(range)
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

/// A comma list of ranges; `None` when one is malformed or there are too many or none.
pub fn list(text: &str, most: usize) -> Option<Vec<IpNet>> {
    let ranges: Option<Vec<IpNet>> = text.split(',').map(|part| range(part).map(IpNet::V4)).collect();
    ranges.filter(|ranges| !ranges.is_empty() && ranges.len() <= most)
}

/// The public address of a customer gateway: IPv4, in no reserved range.
pub fn customer_address(text: &str) -> Option<IpAddr> {
    let ip: Ipv4Addr = text.parse().ok()?;
    let is_refused = RESERVED
        .iter()
        .chain(&[(Ipv4Addr::new(255, 0, 0, 0), 8)])
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
        for wrong in ["10.0.0.1/8", "10.0.0.0", "10.0.0.0/33", "fd00::/8", "", "a"] {
            assert!(range(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn lists_have_bounds() {
        assert_eq!(list("10.0.0.0/8,172.16.0.0/12", 5).unwrap().len(), 2);
        assert!(list("10.0.0.0/8,", 5).is_none());
        assert!(list("", 5).is_none());
        assert!(list("10.0.0.0/24,10.0.1.0/24", 1).is_none());
    }

    #[test]
    fn customer_addresses() {
        assert!(customer_address("101.12.0.1").is_some());
        assert!(customer_address("10.0.0.1").is_some());
        for wrong in
            ["100.64.0.1", "127.0.0.1", "169.254.1.1", "224.0.0.1", "239.255.255.255", "255.1.1.1", "::1"]
        {
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
