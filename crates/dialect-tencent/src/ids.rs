//! Ids: a prefix for each kind and eight characters of `0-9a-z`.

use causeway_model::{ExternalId, Kind, Region};

const ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
/// Characters after the prefix.
const SUFFIX_CHARS: u32 = 8;
/// How many suffixes there are.
const SUFFIXES: u64 = 36u64.pow(SUFFIX_CHARS);
/// The longest suffix of an id that is taken from a caller; published examples have up to nine.
const SUFFIX_CHARS_MAX: usize = 32;

/// The prefix of a kind's ids.
pub fn prefix(kind: Kind) -> &'static str {
    match kind {
        Kind::Network => "vpc",
        Kind::Subnet => "subnet",
        Kind::RouteTable => "rtb",
        Kind::Route => "rti",
        Kind::Gateway => "vpngw",
        Kind::CustomerGateway => "cgw",
        Kind::Connection => "vpnx",
        Kind::Order => "order",
        Kind::Token => "token",
        Kind::Tag => "tag",
    }
}

/// The kind whose ids, and tag resources, have a prefix.
pub fn kind_of_prefix(text: &str) -> Option<Kind> {
    let shown = [
        Kind::Network,
        Kind::Subnet,
        Kind::RouteTable,
        Kind::Gateway,
        Kind::CustomerGateway,
        Kind::Connection,
    ];
    shown.into_iter().find(|kind| prefix(*kind) == text)
}

/// An id of a random number. Orders are decimal numbers.
pub fn mint(kind: Kind, _region: &Region, random: u64) -> ExternalId {
    match kind {
        Kind::Order => ExternalId::from((20_000_000_000_000 + random % 10_000_000_000_000).to_string()),
        _ => ExternalId::from(format!("{}-{}", prefix(kind), suffix(random % SUFFIXES))),
    }
}

/// Tunnels have no ids of their own in this API; should one be asked for, it looks like a connection's.
pub fn mint_tunnel(region: &Region, random: u64) -> ExternalId {
    mint(Kind::Connection, region, random)
}

fn suffix(mut number: u64) -> String {
    let mut text = [b'0'; SUFFIX_CHARS as usize];
    for place in text.iter_mut().rev() {
        let digit = usize::try_from(number % 36).unwrap_or_default();
        *place = ALPHABET.get(digit).copied().unwrap_or(b'0');
        number /= 36;
    }
    text.iter().map(|byte| char::from(*byte)).collect()
}

/// Whether a text has the form of an id with a prefix.
pub fn is_well_formed(text: &str, prefix: &str) -> bool {
    let rest = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('-'));
    rest.is_some_and(|rest| {
        (1..=SUFFIX_CHARS_MAX).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// The number that a route shows as its `RouteId`: the suffix of its id, read to base 36.
pub fn route_number(id: &str) -> u64 {
    let digits = id.strip_prefix("rti-").unwrap_or_default();
    digits.bytes().fold(0_u64, |number, byte| {
        let digit = ALPHABET.iter().position(|known| *known == byte).unwrap_or_default();
        number.wrapping_mul(36).wrapping_add(u64::try_from(digit).unwrap_or_default())
    }) % SUFFIXES
}

/// The id of the route with a number; see [`route_number`]. `None` for numbers that no route has.
pub fn route_of_number(number: u64) -> Option<ExternalId> {
    (number < SUFFIXES).then(|| ExternalId::from(format!("rti-{}", suffix(number))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_their_prefix_and_eight_characters() {
        let region = Region::from("ap-guangzhou");
        for &kind in Kind::ALL.iter().filter(|kind| **kind != Kind::Order) {
            for random in [0, 1, 35, 36, SUFFIXES - 1, SUFFIXES, u64::MAX] {
                let id = mint(kind, &region, random);
                assert!(is_well_formed(id.as_str(), prefix(kind)), "{id}");
                assert_eq!(id.as_str().len(), prefix(kind).len() + 9);
            }
        }
        assert_eq!(mint(Kind::Gateway, &region, 36).as_str(), "vpngw-00000010");
        assert!(mint(Kind::Order, &region, 7).as_str().bytes().all(|byte| byte.is_ascii_digit()));
    }

    #[test]
    fn a_route_is_found_by_its_number() {
        let region = Region::from("ap-guangzhou");
        for random in [0, 5, 123_456_789_012, u64::MAX] {
            let id = mint(Kind::Route, &region, random);
            let number = route_number(id.as_str());
            // JavaScript reads numbers exactly up to 2^53.
            assert!(number < 1 << 53);
            assert_eq!(route_of_number(number), Some(id));
        }
        assert_eq!(route_of_number(SUFFIXES), None);
    }

    #[test]
    fn malformed_ids_are_seen() {
        for wrong in ["", "vpc", "vpc-", "vpn-abc", "vpc-a b", "vpc-ab/..", "xvpc-abcdefgh"] {
            assert!(!is_well_formed(wrong, "vpc"), "{wrong}");
        }
        assert!(is_well_formed("vpc-ngenl4az", "vpc"));
    }
}
