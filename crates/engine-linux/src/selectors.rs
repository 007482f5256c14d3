//! The traffic selectors of an instance's tunnels, as sets of its firewall: interface, far range, near range. What
//! is in no set passes no tunnel, whatever SAs there are.

use std::collections::BTreeSet;

use ipnet::IpNet;
use nlink::netlink::nftables::Expr;
use nlink::netlink::nftables::expr::LookupExpr;
use nlink::netlink::nftables::types::{
    CmpOp, MetaKey, PayloadBase, Register, Rule, Set, SetElement, SetKeyType,
};

use crate::error::{Doing, LinuxError};
use crate::firewall::{FAMILY, TABLE};
use crate::netns::NftSocket;

/// A far range and a near range.
pub(crate) type Pair = (IpNet, IpNet);

/// An interface's name in a set: nft's datatype `ifname` (`TYPE_IFNAME`), as long as `IFNAMSIZ`.
const NAME_TYPE: u32 = 41;
const NAME_BYTES: usize = 16;
/// Elements that a message takes at most, well below the 64 KiB of a netlink attribute.
pub(crate) const AT_ONCE: usize = 200;

/// The address families, each with a set of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Version {
    V4,
    V6,
}

pub(crate) const VERSIONS: [Version; 2] = [Version::V4, Version::V6];

/// Which way a packet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    OutOfTunnel,
    IntoTunnel,
}

impl Version {
    /// The family of a pair; `None` for one of two families, which no packet has.
    pub(crate) fn of(pair: &Pair) -> Option<Self> {
        match pair {
            (IpNet::V4(_), IpNet::V4(_)) => Some(Self::V4),
            (IpNet::V6(_), IpNet::V6(_)) => Some(Self::V6),
            _ => None,
        }
    }

    fn set_name(self) -> &'static str {
        match self {
            Self::V4 => "selectors4",
            Self::V6 => "selectors6",
        }
    }

    /// The type of an address in the key of a set.
    pub(crate) fn address(self) -> SetKeyType {
        match self {
            Self::V4 => SetKeyType::Ipv4Addr,
            Self::V6 => SetKeyType::Ipv6Addr,
        }
    }

    /// The set, without its elements.
    pub(crate) fn set(self) -> Set {
        let name = SetKeyType::Other { type_id: NAME_TYPE, len: NAME_BYTES as u32 };
        let key = SetKeyType::Concat(vec![name, self.address(), self.address()]);
        Set::new(TABLE, self.set_name()).family(FAMILY).key_type(key).interval()
    }

    /// The words of four bytes that an address has.
    pub(crate) fn words(self) -> u32 {
        match self {
            Self::V4 => 1,
            Self::V6 => 4,
        }
    }

    /// A register of four bytes.
    pub(crate) fn word(number: u32) -> Register {
        Register::word(number as usize).expect("a key is shorter than the 16 words")
    }

    /// Loads a packet's source into the words from this one on.
    pub(crate) fn source(self, word: u32) -> Expr {
        let offset = match self {
            Self::V4 => 12,
            Self::V6 => 8,
        };
        self.load(word, offset)
    }

    /// Loads a packet's destination.
    pub(crate) fn destination(self, word: u32) -> Expr {
        let offset = match self {
            Self::V4 => 16,
            Self::V6 => 24,
        };
        self.load(word, offset)
    }

    fn load(self, word: u32, offset: u32) -> Expr {
        Expr::Payload { dreg: Self::word(word), base: PayloadBase::Network, offset, len: 4 * self.words() }
    }

    /// Narrows a rule to packets of this family.
    pub(crate) fn only(self, rule: Rule) -> Rule {
        let protocol = match self {
            Self::V4 => libc::NFPROTO_IPV4,
            Self::V6 => libc::NFPROTO_IPV6,
        };
        rule.expr(Expr::Meta { dreg: Register::R0, key: MetaKey::NfProto }).expr(Expr::Cmp {
            sreg: Register::R0,
            op: CmpOp::Eq,
            data: vec![protocol as u8],
        })
    }

    /// The ranges of a pair of this family as parts of an element.
    pub(crate) fn ranges(self, pair: Pair) -> Option<[SetElement; 2]> {
        if Self::of(&pair) != Some(self) {
            return None;
        }
        let (far, near) = pair;
        Some([far, near].map(|range| {
            let part = match range {
                IpNet::V4(net) => SetElement::ipv4_prefix(net.network(), net.prefix_len()),
                IpNet::V6(net) => SetElement::ipv6_prefix(net.network(), net.prefix_len()),
            };
            part.expect("the length of a prefix")
        }))
    }
}

/// Narrows a rule to packets that the traffic selectors of the tunnel they come from, or go to, have.
pub(crate) fn matching(rule: Rule, version: Version, direction: Direction) -> Rule {
    let first = NAME_BYTES as u32 / 4;
    let second = first + version.words();
    let (interface, far, near) = match direction {
        Direction::OutOfTunnel => (MetaKey::IifName, version.source(first), version.destination(second)),
        Direction::IntoTunnel => (MetaKey::OifName, version.destination(first), version.source(second)),
    };
    version
        .only(rule)
        .expr(Expr::Meta { dreg: Version::word(0), key: interface })
        .expr(far)
        .expr(near)
        .expr(LookupExpr::new(version.set_name(), Version::word(0)))
}

/// The same addresses as pairs that do not overlap: the kernel's sets hold no range that meets another.
pub(crate) fn apart(pairs: impl Iterator<Item = Pair>) -> BTreeSet<Pair> {
    let all: BTreeSet<Pair> = pairs.map(|(far, near)| (far.trunc(), near.trunc())).collect();
    // The widest first: what they cover leaves nothing behind.
    let mut widest_first: Vec<Pair> = all.into_iter().collect();
    widest_first.sort_by_key(|(far, near)| u16::from(far.prefix_len()) + u16::from(near.prefix_len()));
    let mut kept: Vec<Pair> = Vec::new();
    for pair in widest_first {
        let outside =
            |rest: Vec<Pair>, taken: &Pair| rest.into_iter().flat_map(|it| without(it, *taken)).collect();
        let rest: Vec<Pair> = kept.iter().fold(vec![pair], outside);
        kept.extend(rest);
    }
    kept.into_iter().collect()
}

/// What of a pair is not in another one.
pub(crate) fn without(pair: Pair, other: Pair) -> Vec<Pair> {
    let Some(far) = overlap(pair.0, other.0).filter(|_| overlap(pair.1, other.1).is_some()) else {
        return vec![pair];
    };
    let beside = beyond(pair.0, other.0).into_iter().map(|far| (far, pair.1));
    beside.chain(beyond(pair.1, other.1).into_iter().map(|near| (far, near))).collect()
}

/// Two ranges that meet: the smaller one.
pub(crate) fn overlap(a: IpNet, b: IpNet) -> Option<IpNet> {
    match (a.contains(&b), b.contains(&a)) {
        (true, _) => Some(b),
        (_, true) => Some(a),
        _ => None,
    }
}

/// What of a range is outside one that meets it: a range for each length of prefix between the two.
fn beyond(range: IpNet, inner: IpNet) -> Vec<IpNet> {
    let mut parts = Vec::new();
    let mut at = inner;
    while at.prefix_len() > range.prefix_len() {
        let Some(wider) = at.supernet() else { break };
        parts.extend(wider.subnets(at.prefix_len()).into_iter().flatten().filter(|half| *half != at));
        at = wider;
    }
    parts
}

/// Makes the pairs of an interface these, in place of those, in one transaction.
pub(crate) async fn change(
    socket: &NftSocket,
    interface: &str,
    old: &BTreeSet<Pair>,
    new: &BTreeSet<Pair>,
) -> Result<(), LinuxError> {
    let mut transaction = socket.transaction();
    let mut count = 0;
    for version in VERSIONS {
        let set = version.set();
        let gone = elements(version, interface, old.difference(new));
        let come = elements(version, interface, new.difference(old));
        for some in gone.chunks(AT_ONCE) {
            transaction = transaction.del_set_elements(&set, some);
        }
        for some in come.chunks(AT_ONCE) {
            transaction = transaction.add_set_elements(&set, some);
        }
        count += gone.len() + come.len();
    }
    if count == 0 {
        return Ok(());
    }
    transaction.commit(socket).await.doing(|| format!("traffic selectors of {interface}"))
}

/// Takes out what an earlier keeper left.
pub(crate) async fn clear(socket: &NftSocket) -> Result<(), LinuxError> {
    let what = || "traffic selectors".to_owned();
    for version in VERSIONS {
        let set = version.set();
        let left = socket.list_set_elements(TABLE, set.name(), FAMILY).await.doing(what)?;
        for some in left.chunks(AT_ONCE) {
            socket.del_set_elements(&set, some).await.doing(what)?;
        }
    }
    Ok(())
}

/// How many elements the sets have.
pub(crate) async fn count(socket: &NftSocket) -> Result<usize, LinuxError> {
    let mut count = 0;
    for version in VERSIONS {
        let set = version.set();
        let elements = socket.list_set_elements(TABLE, set.name(), FAMILY).await;
        count += elements.doing(|| "traffic selectors".into())?.len();
    }
    Ok(count)
}

/// The pairs of a family.
fn elements<'a>(version: Version, interface: &str, pairs: impl Iterator<Item = &'a Pair>) -> Vec<SetElement> {
    let mut name = interface.as_bytes().to_vec();
    name.resize(NAME_BYTES, 0);
    let element =
        |[far, near]: [SetElement; 2]| SetElement::concat([SetElement::new(name.clone()), far, near]);
    pairs.filter_map(|pair| version.ranges(*pair)).map(element).collect()
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use ipnet::Ipv4Net;
    use proptest::prelude::*;

    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    #[test]
    fn a_pair_inside_another_is_left_out() {
        let pairs = [
            (net("192.168.0.0/16"), net("10.0.0.0/8")),
            (net("192.168.1.0/24"), net("10.0.0.0/8")),
            (net("192.168.1.0/24"), net("10.1.0.0/16")),
            (net("172.16.0.0/12"), net("10.1.0.0/16")),
        ];
        let kept: Vec<_> = apart(pairs.into_iter()).into_iter().collect();
        assert_eq!(kept, [pairs[3], pairs[0]]);
    }

    #[test]
    fn of_two_that_cross_one_is_cut() {
        let wide = (net("192.168.0.0/22"), net("10.0.0.0/24"));
        let tall = (net("192.168.1.0/24"), net("10.0.0.0/22"));
        let rest = ["10.0.1.0/24", "10.0.2.0/23"].map(|near| (tall.0, net(near)));
        assert_eq!(apart([wide, tall].into_iter()), BTreeSet::from([wide, rest[0], rest[1]]));
    }

    fn range() -> impl Strategy<Value = IpNet> {
        (0_u32..16, 28_u8..=32)
            .prop_map(|(low, length)| Ipv4Net::new(Ipv4Addr::from(low), length).unwrap().trunc().into())
    }

    proptest! {
        /// Every address pair is in one of the results if it was in any of the pairs, and in none otherwise.
        #[test]
        fn they_say_the_same_without_meeting(pairs in prop::collection::vec((range(), range()), 0..6)) {
            let kept = apart(pairs.iter().copied());
            for (far, near) in (0..16).flat_map(|far| (0..16).map(move |near| (far, near))) {
                let (far, near) = (IpAddr::V4(Ipv4Addr::from(far)), IpAddr::V4(Ipv4Addr::from(near)));
                let holds = |it: &&Pair| it.0.contains(&far) && it.1.contains(&near);
                prop_assert_eq!(kept.iter().filter(holds).count(), usize::from(pairs.iter().any(|it| holds(&it))));
            }
        }
    }
}
