//! Marks for packets by destination and source, and the rules that lead a mark into its tunnel.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use nlink::RuleBuilder;
use nlink::netlink::nftables::Expr;
use nlink::netlink::nftables::expr::LookupExpr;
use nlink::netlink::nftables::types::{MetaKey, Rule, Set, SetDataType, SetElement, SetKeyType};

use crate::error::{Already, Doing, LinuxError};
use crate::firewall::{FAMILY, TABLE};
use crate::names::{self, PRIVATE};
use crate::netns::{NftSocket, RouteSocket};
use crate::routes::{self, PRIORITY_MARKED_FROM_NETWORK, PRIORITY_MARKED_FROM_TUNNELS, Way};
use crate::selectors::{AT_ONCE, Pair, VERSIONS, Version};

/// What tells a tunnel's mark and routing table from all others; interface ids have 31 bits.
const TUNNEL_BIT: u32 = 0x8000_0000;

fn map_name(version: Version) -> &'static str {
    match version {
        Version::V4 => "sources4",
        Version::V6 => "sources6",
    }
}

/// The map from a far and a near range to a mark, without its elements.
pub(crate) fn map(version: Version) -> Set {
    let key = SetKeyType::Concat(vec![version.address(), version.address()]);
    let map = Set::new(TABLE, map_name(version)).family(FAMILY).key_type(key).interval();
    map.map(SetDataType::Value(SetKeyType::Mark))
}

/// Makes a rule mark the packets that the map has.
pub(crate) fn marking(rule: Rule, version: Version) -> Rule {
    let (far, near) = (version.destination(0), version.source(version.words()));
    let found = LookupExpr::new(map_name(version), Version::word(0)).dreg(Version::word(0));
    version
        .only(rule)
        .expr(far)
        .expr(near)
        .expr(found)
        .expr(Expr::MetaSet { key: MetaKey::Mark, sreg: Version::word(0) })
}

/// The marks of an instance as they are now.
#[derive(Default)]
pub(crate) struct Marks {
    known: BTreeMap<Pair, u32>,
}

impl Marks {
    /// Makes the pairs these, in place of those that are there. The tunnels' interfaces have to exist.
    pub(crate) async fn change(
        &mut self,
        nft: &NftSocket,
        socket: &RouteSocket,
        wanted: BTreeMap<Pair, u32>,
    ) -> Result<(), LinuxError> {
        let (old, new) = (tables(&self.known), tables(&wanted));
        // Those that stay too: the interface of one may have been made anew, and took its routes along.
        for (version, if_id) in &new {
            lead(socket, *version, *if_id).await?;
        }
        exchange(nft, &self.known, &wanted).await?;
        for (version, if_id) in old.difference(&new) {
            for rule in rules(*version, *if_id) {
                socket.del_rule_if_exists(rule).await.doing(|| format!("rules of tunnel {if_id}"))?;
            }
            routes::remove(socket, version.everything(), TUNNEL_BIT | if_id).await?;
        }
        self.known = wanted;
        Ok(())
    }
}

impl Marks {
    /// Whether the maps and the rules are there as they were made.
    pub(crate) async fn are_whole(&self, nft: &NftSocket, socket: &RouteSocket) -> Result<bool, LinuxError> {
        let what = || "marks by source".to_owned();
        let mut elements = 0;
        for version in VERSIONS {
            let seen = nft.list_set_elements(TABLE, map_name(version), FAMILY).await;
            elements += seen.doing(what)?.len();
        }
        let rules = socket.get_rules().await.doing(what)?;
        let of_marks = [PRIORITY_MARKED_FROM_NETWORK, PRIORITY_MARKED_FROM_TUNNELS];
        let rules = rules.iter().filter(|rule| of_marks.contains(&rule.priority())).count();
        let wanted = self.known.keys().filter(|pair| Version::of(pair).is_some()).count();
        Ok(elements == wanted && rules == of_marks.len() * tables(&self.known).len())
    }
}

/// Takes out what an earlier keeper left.
pub(crate) async fn clear(nft: &NftSocket, socket: &RouteSocket) -> Result<(), LinuxError> {
    for version in VERSIONS {
        let map = map(version);
        let what = || "marks by source".to_owned();
        let left = nft.list_set_elements(TABLE, map.name(), FAMILY).await.doing(what)?;
        for some in left.chunks(AT_ONCE) {
            nft.del_set_elements(&map, some).await.doing(what)?;
        }
        for priority in [PRIORITY_MARKED_FROM_NETWORK, PRIORITY_MARKED_FROM_TUNNELS] {
            let first = || rule_of(version).priority(priority);
            while socket.del_rule_if_exists(first()).await.doing(what)? {}
        }
    }
    Ok(())
}

/// Sends marked packets into a tunnel.
async fn lead(socket: &RouteSocket, version: Version, if_id: u32) -> Result<(), LinuxError> {
    let link = names::tunnel(if_id);
    let way = Way { gateway: None, link: Some(&link), onlink: false, table: TUNNEL_BIT | if_id };
    routes::set(socket, version.everything(), way).await?;
    for rule in rules(version, if_id) {
        socket.add_rule(rule).await.or_exists().doing(|| format!("rules of tunnel {if_id}"))?;
    }
    Ok(())
}

/// The rules of a tunnel's mark, beside those of [`routes::separate_directions`].
fn rules(version: Version, if_id: u32) -> [RuleBuilder; 2] {
    let mark = TUNNEL_BIT | if_id;
    let rule = || rule_of(version).fwmark(mark).table(mark);
    [
        rule().priority(PRIORITY_MARKED_FROM_NETWORK).iif(PRIVATE),
        rule().priority(PRIORITY_MARKED_FROM_TUNNELS),
    ]
}

fn rule_of(version: Version) -> RuleBuilder {
    match version {
        Version::V4 => RuleBuilder::v4(),
        Version::V6 => RuleBuilder::v6(),
    }
}

/// The tunnels of some pairs, with the families that they have pairs of.
fn tables(pairs: &BTreeMap<Pair, u32>) -> BTreeSet<(Version, u32)> {
    pairs.iter().filter_map(|(pair, if_id)| Some((Version::of(pair)?, *if_id))).collect()
}

/// Exchanges the maps' elements in one transaction, so that no packet meets half of them.
async fn exchange(
    nft: &NftSocket,
    old: &BTreeMap<Pair, u32>,
    new: &BTreeMap<Pair, u32>,
) -> Result<(), LinuxError> {
    let mut transaction = nft.transaction();
    let mut count = 0;
    for version in VERSIONS {
        let map = map(version);
        let beside = |of: &BTreeMap<Pair, u32>, others: &BTreeMap<Pair, u32>| -> Vec<SetElement> {
            let own = of.iter().filter(|(pair, if_id)| others.get(*pair) != Some(*if_id));
            own.filter_map(|(pair, if_id)| element(version, *pair, *if_id)).collect()
        };
        let (gone, come) = (beside(old, new), beside(new, old));
        for some in gone.chunks(AT_ONCE) {
            transaction = transaction.del_set_elements(&map, some);
        }
        for some in come.chunks(AT_ONCE) {
            transaction = transaction.add_set_elements(&map, some);
        }
        count += gone.len() + come.len();
    }
    if count == 0 {
        return Ok(());
    }
    transaction.commit(nft).await.doing(|| "marks by source".into())
}

/// The element of a pair of this family.
fn element(version: Version, (far, near): Pair, if_id: u32) -> Option<SetElement> {
    let ranges = version.ranges((far, near))?;
    Some(SetElement::concat(ranges).value(SetElement::mark(TUNNEL_BIT | if_id)))
}

impl Version {
    /// The range of all addresses.
    fn everything(self) -> IpNet {
        match self {
            Self::V4 => routes::default_of(std::net::Ipv4Addr::UNSPECIFIED.into()),
            Self::V6 => routes::default_of(std::net::Ipv6Addr::UNSPECIFIED.into()),
        }
    }
}
