//! The namespace of a gateway instance: its legs, rules, firewall and bandwidth.

use causeway_plan::{Instance, InstanceKey};
use ipnet::IpNet;
use nlink::RuleBuilder;
use nlink::netlink::messages::RuleMessage;

use crate::error::{Already, Doing, LinuxError};
use crate::fabric;
use crate::firewall;
use crate::links;
use crate::names::{self, Names, PRIVATE, PUBLIC};
use crate::netns::{Namespace, ROUTER_SYSCTLS, RouteSocket};
use crate::routes::{self, TABLE_INTO_NETWORK, TABLE_MAIN, Way};
use crate::shaping;

/// The priority of the kernel's own rule for the main table.
pub(crate) const MAIN_RULE: u32 = 32_766;

/// Makes an instance's namespace as its object says. `old` is what it was made from before, if at all:
/// what of that no longer holds is taken away. Tunnels in it stay.
pub(crate) async fn ensure(
    names: &Names,
    instance: &Instance,
    old: Option<&Instance>,
) -> Result<(), LinuxError> {
    let here = Namespace::named(names.instance(&instance.key));
    let public = Namespace::named(names.fabric());
    let network = Namespace::named(names.network(&instance.network));
    here.ensure(ROUTER_SYSCTLS).await?;
    // The firewall stands before the first leg does.
    firewall::set(&here, instance.inner_mtu, instance.mss).await?;

    let port = names::port(&instance.key);
    if let Some(gone) = old.map(|old| old.public_ip).filter(|ip| *ip != instance.public_ip) {
        fabric::unroute(&public, gone).await?;
    }
    fabric::attach(&public, &port, &here, PUBLIC, instance.public_ip).await?;

    if old.is_some_and(|old| old.network != instance.network) {
        // The far end is in another namespace, so the whole pair goes.
        links::remove(&here.route()?, PRIVATE).await?;
    }
    attach_private(&here, &network, &port, instance, old).await?;
    shaping::set(&here.route()?, PRIVATE, instance.bandwidth_mbps, instance.inner_mtu).await?;
    shaping::set(&network.route()?, &port, instance.bandwidth_mbps, instance.inner_mtu).await
}

async fn attach_private(
    here: &Namespace,
    network: &Namespace,
    port: &str,
    instance: &Instance,
    old: Option<&Instance>,
) -> Result<(), LinuxError> {
    links::ensure_veth((here, PRIVATE), (network, port)).await?;
    let socket = network.route()?;
    let bridge = names::bridge(&instance.subnet);
    links::join_bridge(&socket, port, &bridge).await?;

    let socket = here.route()?;
    let address = IpNet::new(instance.private_ip, instance.subnet_cidr.prefix_len());
    links::set_addresses(&socket, PRIVATE, &[address.expect("the length of a prefix")]).await?;
    links::up(&socket, PRIVATE).await?;
    routes::separate_directions(&socket, PRIVATE).await?;
    look_in_main_table(&socket).await?;
    let direct = Way { gateway: None, link: Some(PRIVATE), onlink: false, table: TABLE_INTO_NETWORK };
    routes::set(&socket, instance.subnet_cidr, direct).await?;
    let router = Way { gateway: Some(instance.router_ip), onlink: true, ..direct };
    routes::set(&socket, routes::default_of(instance.router_ip), router).await?;
    for cidr in instance.network_cidrs.iter().filter(|cidr| **cidr != instance.subnet_cidr) {
        routes::set(&socket, *cidr, router).await?;
    }
    for gone in old.iter().flat_map(|old| &old.network_cidrs) {
        if !instance.network_cidrs.contains(gone) && *gone != instance.subnet_cidr {
            routes::remove(&socket, *gone, TABLE_INTO_NETWORK).await?;
        }
    }
    // What the instance itself answers to its network (a ping) finds its way by the source address.
    routes::answer_from(&socket, instance.private_ip, TABLE_INTO_NETWORK).await?;
    Ok(())
}

/// The kernel's own rules, in case somebody removed them together with all others.
async fn look_in_main_table(socket: &RouteSocket) -> Result<(), LinuxError> {
    let what = || "the rule of the main table".to_owned();
    let seen = socket.get_rules().await.doing(what)?;
    for (number, family) in [(libc::AF_INET, RuleBuilder::v4 as fn() -> _), (libc::AF_INET6, RuleBuilder::v6)]
    {
        let is_main = |rule: &RuleMessage| i32::from(rule.family()) == number && rule.priority() == MAIN_RULE;
        if !seen.iter().any(is_main) {
            let rule = family().priority(MAIN_RULE).table(TABLE_MAIN);
            socket.add_rule(rule).await.or_exists().doing(what)?;
        }
    }
    Ok(())
}

/// Removes an instance's namespace. The kernel removes its links, with their far ends and the routes to
/// them, a moment later and many at once; asking for each would wait for it each time.
pub(crate) async fn remove(names: &Names, key: &InstanceKey) -> Result<(), LinuxError> {
    Namespace::named(names.instance(key)).remove().await
}
