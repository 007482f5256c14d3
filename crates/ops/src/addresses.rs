//! Addresses: of subnets, of the link to a network's router, and of the public pools.

use std::net::{IpAddr, Ipv4Addr};

use causeway_model::{Kind, Network, Record, Subnet, View, limits};
use ipnet::{IpNet, Ipv4Net};

use crate::OpError;

/// How many addresses of a subnet gateways and hosts may take.
pub fn subnet_capacity(cidr: &IpNet) -> u64 {
    let size = 1_u64.checked_shl(u32::from(cidr.max_prefix_len() - cidr.prefix_len())).unwrap_or(u64::MAX);
    size.saturating_sub(u64::from(limits::SUBNET_RESERVED_HEAD + limits::SUBNET_RESERVED_TAIL))
}

fn nth(net: Ipv4Net, place: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(u32::from(net.network()).wrapping_add(place)))
}

fn size(net: Ipv4Net) -> u64 {
    1_u64 << (32 - u32::from(net.prefix_len()))
}

/// The lowest free address of a subnet that is not in `avoid`.
pub(crate) fn free_in_subnet(view: &View, subnet: &Subnet, avoid: &[IpAddr]) -> Option<IpAddr> {
    let IpNet::V4(net) = subnet.cidr else { return None };
    let end = size(net).checked_sub(u64::from(limits::SUBNET_RESERVED_TAIL))?;
    (u64::from(limits::SUBNET_RESERVED_HEAD)..end)
        .map(|place| nth(net, place as u32))
        .find(|ip| !view.private_ip_taken(subnet.id, *ip) && !avoid.contains(ip))
}

/// The lowest free address of the link to a network's router.
pub(crate) fn free_on_router_link(view: &View, network: &Network) -> Option<IpAddr> {
    let net = Ipv4Net::new(limits::ROUTER_LINK.into(), limits::ROUTER_LINK_PREFIX).ok()?;
    let taken: Vec<IpAddr> = view
        .children(network.id, Kind::Gateway)
        .filter_map(|record| match record {
            Record::Gateway(gateway) => Some(gateway),
            _ => None,
        })
        .flat_map(|gateway| gateway.instances.iter().filter_map(|instance| instance.private_ip))
        .collect();
    (2..size(net) as u32 - 1).map(|place| nth(net, place)).find(|ip| !taken.contains(ip))
}

/// Places of a pool that are tried first: a pool that is nearly full is left for the next one rather than searched
/// from end to end by every creation.
const QUICK_TRIES: u64 = 16;

/// A free public address. `hint` says where the search starts, so that it rarely has to go far.
pub(crate) fn free_public(
    view: &View,
    pools: &[IpNet],
    hint: u64,
    avoid: &[IpAddr],
) -> Result<IpAddr, OpError> {
    let head = u64::from(limits::POOL_RESERVED_HEAD);
    let usable = pools.iter().filter_map(|pool| match pool {
        IpNet::V4(net) => Some((*net, size(*net).checked_sub(head + 1).filter(|usable| *usable > 0)?)),
        IpNet::V6(_) => None,
    });
    let usable: Vec<(Ipv4Net, u64)> = usable.collect();
    for tries in [QUICK_TRIES, u64::MAX] {
        for &(net, usable) in &usable {
            let found = (0..usable.min(tries))
                .map(|step| nth(net, (head + (hint + step) % usable) as u32))
                .find(|ip| view.public_ip_user(*ip).is_none() && !avoid.contains(ip));
            if let Some(ip) = found {
                return Ok(ip);
            }
        }
    }
    Err(OpError::NoPublicAddress)
}
