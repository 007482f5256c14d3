//! Links and their addresses.

use std::net::IpAddr;

use ipnet::IpNet;
use nlink::netlink::link::{BridgeLink, VethLink};
use nlink::{Ipv4Address, Ipv6Address};

use crate::error::{Already, Doing, LinuxError};
use crate::netns::{Namespace, RouteSocket};

/// Makes a veth pair with one end here and the other in another namespace, unless it is there.
pub async fn ensure_veth(here: (&Namespace, &str), there: (&Namespace, &str)) -> Result<(), LinuxError> {
    let socket = here.0.route()?;
    let what = || format!("veth {} in {} to {} in {}", here.1, here.0.name(), there.1, there.0.name());
    if exists(&socket, here.1).await? {
        return Ok(());
    }
    // A left-over far end of an earlier life would hold the name.
    there.0.route()?.del_link_if_exists(there.1).await.doing(what)?;
    let veth = VethLink::new(here.1, there.1).peer_netns(there.0.name()).doing(what)?;
    socket.add_link(veth).await.doing(what)
}

/// Makes a bridge unless it is there, and puts it up.
pub async fn ensure_bridge(socket: &RouteSocket, name: &str) -> Result<(), LinuxError> {
    let what = || format!("bridge {name}");
    socket.add_link(BridgeLink::new(name)).await.or_exists().doing(what)?;
    socket.set_link_up(name).await.doing(what)
}

/// Puts a link into a bridge, and up.
pub async fn join_bridge(socket: &RouteSocket, link: &str, bridge: &str) -> Result<(), LinuxError> {
    socket.set_link_master(link, bridge).await.doing(|| format!("{link} in {bridge}"))?;
    up(socket, link).await
}

/// Whether there is a link of this name.
pub async fn exists(socket: &RouteSocket, name: &str) -> Result<bool, LinuxError> {
    Ok(socket.get_link_by_name(name).await.doing(|| format!("looking for {name}"))?.is_some())
}

/// Puts a link up.
pub async fn up(socket: &RouteSocket, name: &str) -> Result<(), LinuxError> {
    socket.set_link_up(name).await.doing(|| format!("putting {name} up"))
}

/// Removes a link, if it is there.
pub async fn remove(socket: &RouteSocket, name: &str) -> Result<(), LinuxError> {
    socket.del_link_if_exists(name).await.doing(|| format!("removing {name}"))?;
    Ok(())
}

/// Gives a link these addresses and takes all others away, link-local ones excepted.
pub async fn set_addresses(socket: &RouteSocket, link: &str, wanted: &[IpNet]) -> Result<(), LinuxError> {
    let what = || format!("addresses of {link}");
    let seen = socket.get_addresses_by_name(link).await.doing(what)?;
    for (address, length) in seen.iter().filter_map(|a| Some((*a.address()?, a.prefix_len()))) {
        let kept = wanted.iter().any(|net| net.addr() == address && net.prefix_len() == length);
        if !kept && !is_link_local(address) {
            socket.del_address_if_exists(link, address, length).await.doing(what)?;
        }
    }
    for net in wanted {
        add_address(socket, link, *net).await.doing(what)?;
    }
    Ok(())
}

async fn add_address(socket: &RouteSocket, link: &str, net: IpNet) -> Result<(), nlink::Error> {
    match net {
        IpNet::V4(net) => {
            let address = Ipv4Address::new(link, net.addr(), net.prefix_len());
            socket.replace_address(address).await
        }
        IpNet::V6(net) => {
            // Nobody else can have the address, so nobody needs to wait for its duplicate.
            let address = Ipv6Address::new(link, net.addr(), net.prefix_len()).nodad();
            socket.replace_address(address).await
        }
    }
}

fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local())
}
