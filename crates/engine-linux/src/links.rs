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
    // The address stays when the link is made again: nobody has to ask anew who has it.
    let address = hardware_address(&format!("{}/{}", there.1, here.1));
    let veth = VethLink::new(here.1, there.1).address(address).peer_netns(there.0.name()).doing(what)?;
    socket.add_link(veth).await.doing(what)
}

/// Makes a bridge unless it is there, and puts it up. It has an address of its own: otherwise it takes the lowest of
/// its ports', and with each port that comes or goes everybody may have to ask anew where the router is.
pub async fn ensure_bridge(socket: &RouteSocket, name: &str) -> Result<(), LinuxError> {
    let what = || format!("bridge {name}");
    let address = hardware_address(name);
    socket.add_link(BridgeLink::new(name).address(address)).await.or_exists().doing(what)?;
    socket.set_link_address(name, address).await.doing(what)?;
    socket.set_link_up(name).await.doing(what)
}

/// An address for whatever has this name: locally administered, of one interface (IEEE 802), and always the same.
fn hardware_address(name: &str) -> [u8; 6] {
    // FNV-1a, 64 bits.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let [a, b, c, d, e, ..] = hash.to_be_bytes();
    [0x02, a, b, c, d, e]
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

#[cfg(test)]
mod tests {
    use super::hardware_address;

    #[test]
    fn a_name_has_one_hardware_address_of_its_own() {
        let (one, other) = (hardware_address("b-one"), hardware_address("b-other"));
        assert_eq!(one, hardware_address("b-one"));
        assert_ne!(one, other);
        assert_eq!([one[0], other[0]], [2, 2], "locally administered, of one interface");
    }
}
