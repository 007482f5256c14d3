//! Which tunnel a packet belongs into, where its destination alone does not tell.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use causeway_model::TrafficSelectors;
use causeway_plan::Tunnel;
use ipnet::IpNet;

use crate::selectors::{Pair, overlap, without};

/// A pair of ranges and the interface id of the tunnel that wants it.
pub(crate) type Wish = (Pair, u32);

/// The pairs of far and near ranges that need more than a route to the far range, and the interface ids of their
/// tunnels. No two of them meet. Of two tunnels that want the same addresses, the one with the longer far prefix
/// has them, as with routes, and then the one with the longer near prefix.
pub(crate) fn contested(wishes: BTreeSet<Wish>) -> BTreeMap<Pair, u32> {
    let mut decided = BTreeMap::new();
    // Ranges are nested or apart, and come in the order of their first address, the widest first: so what lies in
    // the widest one follows it.
    let mut group: Vec<Wish> = Vec::new();
    for wish in wishes {
        if group.first().is_some_and(|((widest, _), _)| !widest.contains(&wish.0.0)) {
            decided.extend(decide(std::mem::take(&mut group)));
        }
        group.push(wish);
    }
    decided.extend(decide(group));
    decided
}

/// What a tunnel's children have of its routes.
pub(crate) fn wishes(tunnel: &Tunnel) -> impl Iterator<Item = Wish> {
    let pairs: BTreeSet<Pair> =
        tunnel.children.iter().flat_map(TrafficSelectors::pairs).map(|(near, far)| (far, near)).collect();
    let routed = move |(far, near): Pair| {
        let parts = tunnel.routes.iter().filter_map(move |to| overlap(far, *to));
        parts.map(move |far| ((far.trunc(), near.trunc()), tunnel.if_id))
    };
    pairs.into_iter().flat_map(routed)
}

/// Shares out the pairs of one widest far range; nothing when routes do as well.
fn decide(mut group: Vec<Wish>) -> Vec<Wish> {
    let differ = |part: fn(&Wish) -> (u32, Option<IpNet>)| {
        group.first().is_some_and(|first| group.iter().any(|wish| part(wish) != part(first)))
    };
    if !differ(|(_, tunnel)| (*tunnel, None)) || !differ(|((_, near), _)| (0, Some(*near))) {
        return Vec::new();
    }
    group.sort_by_key(|((far, near), tunnel)| (Reverse((far.prefix_len(), near.prefix_len())), *tunnel));
    let mut kept: Vec<Wish> = Vec::new();
    for (pair, tunnel) in group {
        let meets = |taken: &&Wish| overlap(taken.0.0, pair.0).and(overlap(taken.0.1, pair.1)).is_some();
        let outside = |rest: Vec<Pair>, taken: &Wish| -> Vec<Pair> {
            rest.into_iter().flat_map(|it| without(it, taken.0)).collect()
        };
        let rest = kept.iter().filter(meets).fold(vec![pair], outside);
        kept.extend(rest.into_iter().map(|pair| (pair, tunnel)));
    }
    kept
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use ipnet::Ipv4Net;
    use proptest::prelude::*;

    use super::*;

    fn pair(far: &str, near: &str) -> Pair {
        (far.parse().unwrap(), near.parse().unwrap())
    }

    #[test]
    fn routes_do_where_no_source_differs() {
        let near = "10.0.0.0/16";
        let nested = [(pair("192.168.0.0/16", near), 1), (pair("192.168.1.0/24", near), 2)];
        let apart = [(pair("172.16.0.0/16", "10.0.1.0/24"), 3), (pair("172.17.0.0/16", "10.0.2.0/24"), 4)];
        let one = [(pair("10.9.0.0/16", "10.0.1.0/24"), 5), (pair("10.9.0.0/16", "10.0.2.0/24"), 5)];
        assert_eq!(contested([nested, apart, one].into_iter().flatten().collect()), BTreeMap::new());
    }

    #[test]
    fn the_source_tells_tunnels_to_the_same_range_apart() {
        let first = (pair("192.168.0.0/16", "10.0.1.0/24"), 1);
        let second = (pair("192.168.0.0/16", "10.0.2.0/24"), 2);
        assert_eq!(contested(BTreeSet::from([first, second])), BTreeMap::from([first, second]));
    }

    #[test]
    fn of_two_that_want_the_same_the_longer_far_prefix_has_it() {
        let wide = (pair("192.168.0.0/23", "10.0.1.0/24"), 1);
        let narrow = (pair("192.168.1.0/24", "10.0.0.0/16"), 2);
        let rest = (pair("192.168.0.0/24", "10.0.1.0/24"), 1);
        assert_eq!(contested(BTreeSet::from([wide, narrow])), BTreeMap::from([narrow, rest]));
    }

    fn range() -> impl Strategy<Value = IpNet> {
        (0_u32..16, 28_u8..=32)
            .prop_map(|(low, length)| Ipv4Net::new(Ipv4Addr::from(low), length).unwrap().trunc().into())
    }

    fn holds(pair: &Pair, far: IpAddr, near: IpAddr) -> bool {
        pair.0.contains(&far) && pair.1.contains(&near)
    }

    proptest! {
        /// Whatever a tunnel wants gets into one that wants it: by its mark, or else by the longest route.
        #[test]
        fn every_packet_gets_into_a_tunnel_that_takes_it(
            wishes in prop::collection::btree_set(((range(), range()), 1_u32..5), 0..8),
        ) {
            let marks = contested(wishes.clone());
            for (far, near) in (0..16).flat_map(|far| (0..16).map(move |near| (far, near))) {
                let (far, near) = (IpAddr::V4(Ipv4Addr::from(far)), IpAddr::V4(Ipv4Addr::from(near)));
                let wanting: Vec<u32> =
                    wishes.iter().filter(|(it, _)| holds(it, far, near)).map(|(_, tunnel)| *tunnel).collect();
                let marked: Vec<u32> =
                    marks.iter().filter(|(it, _)| holds(it, far, near)).map(|(_, tunnel)| *tunnel).collect();
                prop_assert!(marked.len() <= 1, "elements of a map that meet");
                if wanting.is_empty() {
                    prop_assert!(marked.is_empty());
                    continue;
                }
                let routed = wishes.iter().filter(|((to, _), _)| to.contains(&far));
                let longest = routed.max_by_key(|((to, _), _)| to.prefix_len()).map(|(_, tunnel)| *tunnel);
                let taken = marked.first().copied().or(longest);
                prop_assert!(taken.is_some_and(|tunnel| wanting.contains(&tunnel)), "{taken:?} of {wanting:?}");
            }
        }
    }
}
