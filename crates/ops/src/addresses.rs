//! Addresses: of subnets, of the link to a network's router, and of the public pools.

use std::net::{IpAddr, Ipv4Addr};

use causeway_model::{Ground, Network, Subnet, View, limits};
use ipnet::{IpNet, Ipv4Net};

use crate::OpError;

fn nth(net: Ipv4Net, place: u64) -> IpAddr {
    // A place within a range is below its size, which has 32 bits at most.
    IpAddr::V4(Ipv4Addr::from(u32::from(net.network()).wrapping_add(place as u32)))
}

fn size(net: Ipv4Net) -> u64 {
    1_u64 << (32 - u32::from(net.prefix_len()))
}

/// The lowest free address of a ground from one to another.
fn first_free(view: &View, ground: Ground) -> impl Fn(IpAddr, IpAddr) -> Option<IpAddr> {
    move |from, to| view.addresses().first_free(ground, from, to)
}

/// The lowest free address from place `first` to place `last` of a range that is not in `avoid`, which is short.
fn lowest_free(
    first_free: impl Fn(IpAddr, IpAddr) -> Option<IpAddr>,
    net: Ipv4Net,
    (first, last): (u64, u64),
    avoid: &[IpAddr],
) -> Option<IpAddr> {
    let mut from = nth(net, first);
    for _ in 0..=avoid.len() {
        let found = first_free(from, nth(net, last))?;
        if !avoid.contains(&found) {
            return Some(found);
        }
        from = next(found)?;
    }
    None
}

fn next(ip: IpAddr) -> Option<IpAddr> {
    let IpAddr::V4(ip) = ip else { return None };
    Some(IpAddr::V4(Ipv4Addr::from(u32::from(ip).checked_add(1)?)))
}

/// The lowest free address of a subnet that is not in `avoid`.
pub(crate) fn free_in_subnet(view: &View, subnet: &Subnet, avoid: &[IpAddr]) -> Option<IpAddr> {
    let IpNet::V4(net) = subnet.cidr else { return None };
    let first = u64::from(limits::SUBNET_RESERVED_HEAD);
    let last = size(net).checked_sub(u64::from(limits::SUBNET_RESERVED_TAIL) + 1)?;
    lowest_free(first_free(view, Ground::Subnet(subnet.id)), net, (first, last), avoid)
}

/// The lowest free address of the link to a network's router.
pub(crate) fn free_on_router_link(view: &View, network: &Network) -> Option<IpAddr> {
    let net = Ipv4Net::new(limits::ROUTER_LINK.into(), limits::ROUTER_LINK_PREFIX).ok()?;
    lowest_free(first_free(view, Ground::RouterLink(network.id)), net, (2, size(net) - 2), &[])
}

/// A free public address. `hint` says where the search starts, so that an address that was given back rests for a
/// while.
pub(crate) fn free_public(
    view: &View,
    pools: &[IpNet],
    hint: u64,
    avoid: &[IpAddr],
) -> Result<IpAddr, OpError> {
    let head = u64::from(limits::POOL_RESERVED_HEAD);
    for pool in pools {
        let IpNet::V4(net) = *pool else { continue };
        // The last address is the range's own (broadcast).
        let Some(usable) = size(net).checked_sub(head + 1).filter(|usable| *usable > 0) else { continue };
        let (first, middle, last) = (head, head + hint % usable, head + usable - 1);
        let free = |from, to| lowest_free(first_free(view, Ground::Public), net, (from, to), avoid);
        if let Some(ip) = free(middle, last).or_else(|| free(first, middle)) {
            return Ok(ip);
        }
    }
    Err(OpError::NoPublicAddress)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use causeway_model::{GatewayId, Write, fixtures};

    use super::*;

    /// Gateways that take these public addresses, and of subnet 1 those with the same last two octets.
    fn view(taken: impl Iterator<Item = IpAddr>) -> View {
        let mut view = View::default();
        for (number, ip) in (1..).zip(taken) {
            let mut gateway = fixtures::gateway(number);
            gateway.id = GatewayId(number);
            gateway.instances[0].public_ip = ip;
            if let IpAddr::V4(ip) = ip {
                let [.., c, d] = ip.octets();
                gateway.instances[0].private_ip = Some([10, 0, c, d].into());
            }
            view.apply(&[Write::Put(gateway.into())]);
        }
        view
    }

    #[test]
    fn pools_are_used_in_order_from_the_hint_on_and_all_of_each() {
        let pools: Vec<IpNet> = ["198.51.100.0/29", "203.0.113.0/29"].map(|it| it.parse().unwrap()).into();
        let mut taken: Vec<IpAddr> = Vec::new();
        for hint in 0..10 {
            taken.push(free_public(&view(taken.iter().copied()), &pools, hint, &[]).unwrap());
        }
        let text: Vec<String> = taken.iter().map(IpAddr::to_string).collect();
        let first: Vec<String> = (2..=6).map(|it| format!("198.51.100.{it}")).collect();
        let second: Vec<String> = (2..=6).map(|it| format!("203.0.113.{it}")).collect();
        assert_eq!(text, [first, second].concat());
        assert!(free_public(&view(taken.iter().copied()), &pools, 3, &[]).is_err());
        // One is given back: it is found from wherever the search starts, unless it is to be avoided.
        let freed = taken.remove(3);
        for hint in 0..6 {
            let view = view(taken.iter().copied());
            assert_eq!(free_public(&view, &pools, hint, &[]).unwrap(), freed);
            assert!(free_public(&view, &pools, hint, &[freed]).is_err());
        }
    }

    /// A search took as many look-ups as addresses were taken. What one look-up costs is said in `model::addresses`.
    #[test]
    fn a_search_looks_once_and_once_more_for_each_address_to_avoid() {
        let net: Ipv4Net = "100.64.0.0/16".parse().unwrap();
        let full = view(net.hosts().map(IpAddr::V4));
        let looks = Cell::new(0);
        let search = |view: &View, avoid: &[IpAddr]| {
            looks.set(0);
            let counted = |from, to| {
                looks.set(looks.get() + 1);
                first_free(view, Ground::Public)(from, to)
            };
            (lowest_free(counted, net, (1, size(net) - 2), avoid), looks.get())
        };
        assert_eq!(search(&full, &[]), (None, 1));
        assert_eq!(search(&View::default(), &[nth(net, 1), nth(net, 2)]), (Some(nth(net, 3)), 3));
    }

    #[test]
    fn what_is_full_gives_no_address() {
        let pool: Ipv4Net = "100.64.0.0/24".parse().unwrap();
        let full = view(pool.hosts().map(IpAddr::V4));
        let subnet = Subnet {
            id: causeway_model::SubnetId(1),
            meta: fixtures::meta(1, "sub"),
            network: causeway_model::NetworkId(1),
            zone: "z".into(),
            cidr: "10.0.0.0/24".parse().unwrap(),
            table: causeway_model::RouteTableId(1),
            observed_generation: 1,
        };
        assert!(free_in_subnet(&full, &subnet, &[]).is_none());
        assert!(free_in_subnet(&View::default(), &subnet, &[]).is_some());
        for hint in 0..300 {
            assert!(free_public(&full, &[pool.into()], hint, &[]).is_err());
        }
    }
}
