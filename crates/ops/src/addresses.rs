//! Addresses: of subnets, of the link to a network's router, and of the public pools.

use std::net::{IpAddr, Ipv4Addr};

use causeway_model::{Ground, Network, Subnet, View, limits};
use ipnet::{IpNet, Ipv4Net};

use crate::OpError;

/// How many addresses of a subnet gateways and hosts may take.
pub fn subnet_capacity(cidr: &IpNet) -> u64 {
    let size = 1_u64.checked_shl(u32::from(cidr.max_prefix_len() - cidr.prefix_len())).unwrap_or(u64::MAX);
    size.saturating_sub(u64::from(limits::SUBNET_RESERVED_HEAD + limits::SUBNET_RESERVED_TAIL))
}

fn nth(net: Ipv4Net, place: u64) -> IpAddr {
    // A place within a range is below its size, which has 32 bits at most.
    IpAddr::V4(Ipv4Addr::from(u32::from(net.network()).wrapping_add(place as u32)))
}

fn size(net: Ipv4Net) -> u64 {
    1_u64 << (32 - u32::from(net.prefix_len()))
}

/// The lowest free address from place `first` to place `last` of a range that is not in `avoid`, which is short.
fn lowest_free(
    view: &View,
    ground: Ground,
    net: Ipv4Net,
    (first, last): (u64, u64),
    avoid: &[IpAddr],
) -> Option<IpAddr> {
    let mut from = nth(net, first);
    for _ in 0..=avoid.len() {
        let found = view.addresses().first_free(ground, from, nth(net, last))?;
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
    lowest_free(view, Ground::Subnet(subnet.id), net, (first, last), avoid)
}

/// The lowest free address of the link to a network's router.
pub(crate) fn free_on_router_link(view: &View, network: &Network) -> Option<IpAddr> {
    let net = Ipv4Net::new(limits::ROUTER_LINK.into(), limits::ROUTER_LINK_PREFIX).ok()?;
    lowest_free(view, Ground::RouterLink(network.id), net, (2, size(net) - 2), &[])
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
        let free = |from, to| lowest_free(view, Ground::Public, net, (from, to), avoid);
        if let Some(ip) = free(middle, last).or_else(|| free(first, middle)) {
            return Ok(ip);
        }
    }
    Err(OpError::NoPublicAddress)
}

#[cfg(test)]
mod tests {
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

    fn ips(range: &str) -> impl Iterator<Item = IpAddr> + use<> {
        range.parse::<Ipv4Net>().unwrap().hosts().map(IpAddr::V4)
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

    /// Both searches took as many look-ups as addresses were taken.
    #[test]
    fn a_search_costs_the_same_however_many_addresses_are_taken() {
        let pool: IpNet = "100.64.0.0/16".parse().unwrap();
        let full = view(ips("100.64.0.0/16"));
        let subnet = Subnet {
            id: causeway_model::SubnetId(1),
            meta: fixtures::meta(1, "sub"),
            network: causeway_model::NetworkId(1),
            zone: "z".into(),
            cidr: "10.0.0.0/16".parse().unwrap(),
            table: causeway_model::RouteTableId(1),
            observed_generation: 1,
        };
        let began = std::time::Instant::now();
        for hint in 0..10_000 {
            assert!(free_public(&full, &[pool], hint, &[]).is_err());
            assert!(free_in_subnet(&full, &subnet, &[]).is_none());
        }
        // Address by address these were over a thousand million look-ups.
        assert!(began.elapsed() < std::time::Duration::from_secs(5), "{:?}", began.elapsed());
    }
}
