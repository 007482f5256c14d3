//! Ids as the cloud makes them: a prefix, three characters for the region, and random letters and digits.

use causeway_model::{ExternalId, Kind, Region};

/// Random characters after the region's.
const RANDOM_CHARS: usize = 18;
const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// The characters that the ids of a region begin with, as seen in published examples.
const REGION_TOKENS: &[(&str, &str)] = &[
    ("cn-hangzhou", "bp1"),
    ("cn-shanghai", "uf6"),
    ("cn-beijing", "2ze"),
    ("cn-shenzhen", "wz9"),
    ("cn-qingdao", "m5e"),
    ("cn-zhangjiakou", "8vb"),
    ("cn-huhehaote", "hp3"),
    ("cn-wulanchabu", "0jl"),
    ("cn-chengdu", "2vc"),
    ("cn-heyuan", "f8z"),
    ("cn-guangzhou", "7xv"),
    ("cn-nanjing", "gc7"),
    ("cn-hongkong", "j6c"),
    ("ap-southeast-1", "t4n"),
    ("ap-southeast-2", "p0w"),
    ("ap-southeast-3", "8ps"),
    ("ap-southeast-5", "k1a"),
    ("ap-southeast-6", "5ts"),
    ("ap-southeast-7", "0jo"),
    ("ap-northeast-1", "6we"),
    ("ap-northeast-2", "mj7"),
    ("ap-south-1", "a2d"),
    ("us-east-1", "0xi"),
    ("us-west-1", "rj9"),
    ("eu-central-1", "gw8"),
    ("eu-west-1", "d7o"),
    ("me-east-1", "eb3"),
];

/// One step of SplitMix64: spreads one random number over as many characters as an id needs.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn characters(state: &mut u64, count: usize) -> String {
    let base = ALPHABET.len() as u64;
    let pick = |number: u64| ALPHABET.get((number % base) as usize).map_or('0', |byte| char::from(*byte));
    (0..count).map(|_| pick(next(state))).collect()
}

fn region_token(region: &Region) -> String {
    let known = REGION_TOKENS.iter().find(|(name, _)| *name == region.as_str());
    known.map_or_else(
        || {
            let mut state = region
                .as_str()
                .bytes()
                .fold(0, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
            characters(&mut state, 3)
        },
        |(_, token)| (*token).to_owned(),
    )
}

fn with_prefix(prefix: &str, region: &Region, random: u64) -> ExternalId {
    let mut state = random;
    format!("{prefix}-{}{}", region_token(region), characters(&mut state, RANDOM_CHARS)).into()
}

/// Makes the id of a new resource.
pub fn mint(kind: Kind, region: &Region, random: u64) -> ExternalId {
    let prefix = match kind {
        Kind::Network => "vpc",
        Kind::Subnet => "vsw",
        Kind::RouteTable => "vtb",
        Kind::Route => "rte",
        Kind::Gateway => "vpn",
        Kind::CustomerGateway => "cgw",
        Kind::Connection => "vco",
        Kind::Token => "tok",
        Kind::Tag => "tag",
        Kind::Order => return order(random),
    };
    with_prefix(prefix, region, random)
}

/// Order ids are decimal numbers of fifteen digits.
fn order(random: u64) -> ExternalId {
    const LOWEST: u64 = 200_000_000_000_000;
    const COUNT: u64 = 100_000_000_000_000;
    (LOWEST + random % COUNT).to_string().into()
}

/// Makes the id of a tunnel.
pub fn mint_tunnel(region: &Region, random: u64) -> ExternalId {
    with_prefix("tun", region, random)
}

/// The router of a network: it has no life of its own, so that its id follows from the network's.
pub fn router(network: &str) -> String {
    network.strip_prefix("vpc-").map_or_else(|| format!("vrt-{network}"), |rest| format!("vrt-{rest}"))
}

/// The network of a router.
pub fn network_of_router(router: &str) -> ExternalId {
    router.strip_prefix("vrt-").map_or_else(|| router.to_owned(), |rest| format!("vpc-{rest}")).into()
}

/// The network interface that a gateway takes in a subnet. The cloud shows it; here it follows from the ids.
pub fn interface(gateway: &str, ordinal: usize) -> String {
    let rest = gateway.strip_prefix("vpn-").unwrap_or(gateway);
    let mut state = rest
        .bytes()
        .fold(ordinal as u64, |sum, byte| sum.wrapping_mul(0x0000_0100_0000_01b3) ^ u64::from(byte));
    let token = rest.get(..3).unwrap_or(rest);
    format!("eni-{token}{}", characters(&mut state, RANDOM_CHARS - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_prefix_region_and_length() {
        let region = Region::from("cn-hangzhou");
        for (kind, prefix) in
            [(Kind::Gateway, "vpn-bp1"), (Kind::Network, "vpc-bp1"), (Kind::CustomerGateway, "cgw-bp1")]
        {
            let id = mint(kind, &region, 7);
            assert!(id.as_str().starts_with(prefix), "{id}");
            assert_eq!(id.as_str().len(), 25);
            assert_ne!(id, mint(kind, &region, 8));
            assert_eq!(id, mint(kind, &region, 7));
        }
        assert!(mint_tunnel(&region, 1).as_str().starts_with("tun-bp1"));
        assert_eq!(
            mint(Kind::Order, &region, u64::MAX).as_str().parse::<i64>().unwrap().to_string().len(),
            15
        );
        assert_eq!(mint(Kind::Network, &"xx-test-1".into(), 7).as_str().len(), 25);
    }

    #[test]
    fn a_router_and_its_network_name_each_other() {
        assert_eq!(router("vpc-bp1abc"), "vrt-bp1abc");
        assert_eq!(network_of_router("vrt-bp1abc").as_str(), "vpc-bp1abc");
        assert_ne!(interface("vpn-bp1abc", 0), interface("vpn-bp1abc", 1));
    }
}
