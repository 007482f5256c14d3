//! Which addresses are taken, kept as runs of neighbours: to find a free one costs the logarithm of the number of
//! runs, however many addresses are taken.

use std::net::{IpAddr, Ipv6Addr};

use imbl::OrdMap;

use crate::{NetworkId, SubnetId};

/// What addresses belong to: the same address may be taken once in each of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Ground {
    /// The public side.
    Public,
    /// A subnet.
    Subnet(SubnetId),
    /// The link between a network's router and the gateways that live in none of its subnets.
    RouterLink(NetworkId),
}

/// An address as a number; those of IPv4 are mapped (RFC 4291, 2.5.5.2), so that the two families never meet.
fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

fn address(number: u128) -> IpAddr {
    Ipv6Addr::from_bits(number).to_canonical()
}

/// See the module. A clone shares structure.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TakenAddresses {
    /// From the first address of each run to its last.
    runs: OrdMap<(Ground, u128), u128>,
}

impl TakenAddresses {
    /// The run that holds a number.
    fn run(&self, ground: Ground, number: u128) -> Option<(u128, u128)> {
        let (&(found, first), &last) = self.runs.get_prev(&(ground, number))?;
        (found == ground && number <= last).then_some((first, last))
    }

    /// Whether an address is taken.
    pub fn contains(&self, ground: Ground, ip: IpAddr) -> bool {
        self.run(ground, number(ip)).is_some()
    }

    /// Takes an address; one that is taken stays so.
    pub(crate) fn insert(&mut self, ground: Ground, ip: IpAddr) {
        let number = number(ip);
        if self.run(ground, number).is_some() {
            return;
        }
        let before = number.checked_sub(1).and_then(|before| self.run(ground, before));
        let after = number.checked_add(1).and_then(|after| self.run(ground, after));
        if let Some((first, _)) = after {
            self.runs.remove(&(ground, first));
        }
        let first = before.map_or(number, |(first, _)| first);
        let last = after.map_or(number, |(_, last)| last);
        self.runs.insert((ground, first), last);
    }

    /// Gives an address back.
    pub(crate) fn remove(&mut self, ground: Ground, ip: IpAddr) {
        let number = number(ip);
        let Some((first, last)) = self.run(ground, number) else { return };
        if first == number {
            self.runs.remove(&(ground, first));
        } else {
            self.runs.insert((ground, first), number - 1);
        }
        if number < last {
            self.runs.insert((ground, number + 1), last);
        }
    }

    /// The lowest free address from `first` to `last`.
    pub fn first_free(&self, ground: Ground, first: IpAddr, last: IpAddr) -> Option<IpAddr> {
        let first = number(first);
        // Runs do not touch each other: behind a run there is a free address.
        let free = self.run(ground, first).map_or(Some(first), |(_, last)| last.checked_add(1))?;
        (free <= number(last)).then(|| address(free))
    }

    /// How many addresses are taken.
    pub fn count(&self, ground: Ground) -> u128 {
        let runs = self.runs.range((ground, 0)..=(ground, u128::MAX));
        runs.map(|(&(_, first), &last)| last - first + 1).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn ip(place: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, place])
    }

    proptest! {
        /// After any history it holds what a plain set holds, and its runs do not touch.
        #[test]
        fn it_is_a_set(history in prop::collection::vec((0_u8..24, 0_u64..2, any::<bool>()), 0..80)) {
            let mut taken = TakenAddresses::default();
            let mut plain = BTreeSet::new();
            for (place, subnet, take) in history {
                if take {
                    taken.insert(Ground::Subnet(SubnetId(subnet)), ip(place));
                    plain.insert((subnet, place));
                } else {
                    taken.remove(Ground::Subnet(SubnetId(subnet)), ip(place));
                    plain.remove(&(subnet, place));
                }
            }
            for subnet in 0..2 {
                let ground = Ground::Subnet(SubnetId(subnet));
                prop_assert_eq!(taken.count(ground), plain.iter().filter(|it| it.0 == subnet).count() as u128);
                for place in 0..24 {
                    prop_assert_eq!(taken.contains(ground, ip(place)), plain.contains(&(subnet, place)));
                    let free = (place..20).find(|place| !plain.contains(&(subnet, *place))).map(ip);
                    prop_assert_eq!(taken.first_free(ground, ip(place), ip(19)), free.filter(|_| place < 20));
                }
            }
            let runs: Vec<_> = taken.runs.iter().map(|(&(ground, first), &last)| (ground, first, last)).collect();
            for pair in runs.windows(2) {
                prop_assert!(pair[0].0 != pair[1].0 || pair[0].2 + 1 < pair[1].1, "{:?}", pair);
            }
        }
    }

    /// A search that walked over what is taken would cost as much as there is.
    #[test]
    fn neighbours_are_one_run_in_whatever_order_they_come() {
        let mut taken = TakenAddresses::default();
        // 7 and 256 have no common factor: every place comes once.
        for place in (0..=255_u8).map(|turn| turn.wrapping_mul(7)) {
            taken.insert(Ground::Public, ip(place));
        }
        assert_eq!((taken.count(Ground::Public), taken.runs.len()), (256, 1));
        assert_eq!(taken.first_free(Ground::Public, ip(0), ip(255)), None);
        taken.remove(Ground::Public, ip(9));
        assert_eq!(taken.runs.len(), 2);
    }

    #[test]
    fn families_and_the_ends_of_the_numbers_do_not_meet() {
        let mut taken = TakenAddresses::default();
        let (lowest, highest) = (IpAddr::from([0; 16]), IpAddr::from([255; 16]));
        for ip in [lowest, highest, IpAddr::from([0, 0, 0, 0]), IpAddr::from([255; 4])] {
            taken.insert(Ground::Public, ip);
            assert!(taken.contains(Ground::Public, ip));
        }
        assert_eq!(taken.count(Ground::Public), 4);
        assert_eq!(taken.first_free(Ground::Public, highest, highest), None);
        taken.remove(Ground::Public, highest);
        assert_eq!(taken.first_free(Ground::Public, highest, highest), Some(highest));
    }
}
