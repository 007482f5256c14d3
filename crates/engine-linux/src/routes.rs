//! Routes and the rules that choose between routing tables.

use std::net::IpAddr;

use ipnet::IpNet;
use nlink::{Ipv4Route, Ipv6Route, RuleBuilder};

use crate::error::{Already, Doing, LinuxError};
use crate::netns::RouteSocket;

/// The table of what comes from the subnet: only routes into tunnels, so nothing of it can leave in clear.
pub const TABLE_INTO_TUNNELS: u32 = 100;
/// The table of what comes out of tunnels: the network's ranges and, for everything else, its router.
pub const TABLE_INTO_NETWORK: u32 = 101;
/// The main table.
pub const TABLE_MAIN: u32 = 254;

/// What the machine sends itself; of an instance's rules the first.
const PRIORITY_OWN: u32 = 70;
/// What comes from the subnet and has a tunnel's mark ([`source_routing`](crate::source_routing)).
pub(crate) const PRIORITY_MARKED_FROM_NETWORK: u32 = 80;
/// The same for what comes out of tunnels.
pub(crate) const PRIORITY_MARKED_FROM_TUNNELS: u32 = 90;

/// The rules of each family that [`separate_directions`] makes.
pub(crate) const DIRECTION_RULES: usize = 8;

/// Whether a rule of this priority is one of [`separate_directions`], beside those of the kernel and of marks.
pub(crate) fn is_direction_rule(priority: u32) -> bool {
    const MARKED: [u32; 2] = [PRIORITY_MARKED_FROM_NETWORK, PRIORITY_MARKED_FROM_TUNNELS];
    (PRIORITY_OWN + 1..=PRIORITY_MARKED_FROM_TUNNELS + 3).contains(&priority) && !MARKED.contains(&priority)
}

/// Where a route leads.
#[derive(Debug, Clone, Copy)]
pub struct Way<'a> {
    /// The next router; `None`: the destination is on the link.
    pub gateway: Option<IpAddr>,
    /// `None`: wherever the router is reached.
    pub link: Option<&'a str>,
    /// The router is on the link although no prefix says so.
    pub onlink: bool,
    pub table: u32,
}

/// Sets a route, in place of one to the same destination in the same table.
pub async fn set(socket: &RouteSocket, to: IpNet, way: Way<'_>) -> Result<(), LinuxError> {
    let what = || format!("route to {to} by {way:?}");
    match to {
        IpNet::V4(net) => {
            let mut route = Ipv4Route::from_addr(net.network(), net.prefix_len()).table(way.table);
            if let Some(link) = way.link {
                route = route.dev(link);
            }
            match way.gateway {
                Some(IpAddr::V4(gateway)) => route = route.gateway(gateway),
                Some(IpAddr::V6(gateway)) => route = route.gateway_v6(gateway),
                None => {}
            }
            let route = if way.onlink { route.onlink() } else { route };
            socket.replace_route(route).await.doing(what)
        }
        IpNet::V6(net) => {
            let mut route = Ipv6Route::from_addr(net.network(), net.prefix_len()).table(way.table);
            if let Some(link) = way.link {
                route = route.dev(link);
            }
            if let Some(IpAddr::V6(gateway)) = way.gateway {
                route = route.gateway(gateway);
            }
            let route = if way.onlink { route.onlink() } else { route };
            socket.replace_route(route).await.doing(what)
        }
    }
}

/// Takes the route to a destination out of a table, if there is one.
pub async fn remove(socket: &RouteSocket, to: IpNet, table: u32) -> Result<(), LinuxError> {
    let removed = match to {
        IpNet::V4(net) => {
            socket.del_route(Ipv4Route::from_addr(net.network(), net.prefix_len()).table(table)).await
        }
        IpNet::V6(net) => {
            socket.del_route(Ipv6Route::from_addr(net.network(), net.prefix_len()).table(table)).await
        }
    };
    let removed = removed.or_else(|error| match error.errno() {
        Some(libc::ESRCH) => Ok(()),
        _ => Err(error),
    });
    removed.or_gone().doing(|| format!("removing the route to {to}"))
}

/// Separates the two directions of an instance's traffic by where it comes from: from the subnet into tunnels, from
/// tunnels into the network or the next tunnel, and charon's own by the main table. Of what is forwarded, all that
/// is not from the subnet comes out of a tunnel; what comes in by the public leg is dropped by the firewall.
pub async fn separate_directions(socket: &RouteSocket, private: &str) -> Result<(), LinuxError> {
    for family in [RuleBuilder::v4, RuleBuilder::v6] {
        let rule = |priority| family().priority(priority);
        let rules: [RuleBuilder; DIRECTION_RULES] = [
            rule(PRIORITY_OWN + 1).iif("lo").table(TABLE_MAIN),
            rule(PRIORITY_OWN + 2).iif("lo").unreachable(),
            rule(PRIORITY_MARKED_FROM_NETWORK + 1).iif(private).table(TABLE_INTO_TUNNELS),
            rule(PRIORITY_MARKED_FROM_NETWORK + 2).iif(private).unreachable(),
            // The network's own ranges first, then those of other tunnels, and only then what the network's router
            // may know of: a tunnel that takes everything does not take that.
            rule(PRIORITY_MARKED_FROM_TUNNELS - 1).table(TABLE_INTO_NETWORK).suppress_prefixlen(0),
            rule(PRIORITY_MARKED_FROM_TUNNELS + 1).table(TABLE_INTO_TUNNELS).suppress_prefixlen(0),
            rule(PRIORITY_MARKED_FROM_TUNNELS + 2).table(TABLE_INTO_NETWORK),
            rule(PRIORITY_MARKED_FROM_TUNNELS + 3).unreachable(),
        ];
        for rule in rules {
            socket.add_rule(rule).await.or_exists().doing(|| "rules of an instance".into())?;
        }
    }
    Ok(())
}

/// Lets what this machine sends from an address look in a table first. A rule for an address that the
/// machine no longer has does no harm: nothing is sent from it.
pub async fn answer_from(socket: &RouteSocket, address: IpAddr, table: u32) -> Result<(), LinuxError> {
    let rule = match address {
        IpAddr::V4(v4) => RuleBuilder::v4().from_v4(v4, 32),
        IpAddr::V6(v6) => RuleBuilder::v6().from_v6(v6, 128),
    };
    let added = socket.add_rule(rule.priority(PRIORITY_OWN).table(table)).await.or_exists();
    added.doing(|| format!("rule for {address}"))
}

/// The route to anywhere, of an address's family.
pub fn default_of(address: IpAddr) -> IpNet {
    let any: IpAddr = match address {
        IpAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    IpNet::new(any, 0).expect("0 is a prefix length")
}

/// A prefix that holds one address.
pub fn host(address: IpAddr) -> IpNet {
    IpNet::from(address)
}
