//! The fabric: the namespace that routes between public addresses.
//!
//! Each public leg is a point-to-point link with the same router address at the fabric's end, and a host
//! route. There is no shared segment, so no instance sees another one's packets or answers for its address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::error::{Doing, LinuxError};
use crate::links;
use crate::netns::{Namespace, ROUTER_SYSCTLS};
use crate::routes::{self, TABLE_MAIN, Way};

/// The fabric's end of every public leg.
pub const ROUTER_V4: Ipv4Addr = Ipv4Addr::new(169, 254, 0, 1);
pub const ROUTER_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

/// Makes the fabric unless it exists.
pub async fn ensure(fabric: &Namespace) -> Result<(), LinuxError> {
    fabric.ensure(ROUTER_SYSCTLS).await
}

/// Connects a namespace's `link` to the fabric's `port` and routes `address` to it.
pub async fn attach(
    fabric: &Namespace,
    port: &str,
    namespace: &Namespace,
    link: &str,
    address: IpAddr,
) -> Result<(), LinuxError> {
    links::ensure_veth((namespace, link), (fabric, port)).await?;
    let socket = fabric.route()?;
    links::set_addresses(&socket, port, &[IpAddr::from(ROUTER_V4).into(), v6_router()]).await?;
    links::up(&socket, port).await?;
    let socket = namespace.route()?;
    links::set_addresses(&socket, link, &[routes::host(address)]).await?;
    links::up(&socket, link).await?;
    let router = match address {
        IpAddr::V4(_) => ROUTER_V4.into(),
        IpAddr::V6(_) => ROUTER_V6.into(),
    };
    let way = Way { gateway: Some(router), link: Some(link), onlink: true, table: TABLE_MAIN };
    routes::set(&socket, routes::default_of(address), way).await?;
    route_to(fabric, port, address).await
}

/// Whether an address is routed to another port than this one.
pub async fn leads_elsewhere(fabric: &Namespace, address: IpAddr, port: &str) -> Result<bool, LinuxError> {
    if !fabric.exists() {
        return Ok(false);
    }
    let (socket, what) = (fabric.route()?, || "routes of the fabric".to_owned());
    let own = socket.get_link_by_name(port).await.doing(what)?.map(|link| link.ifindex());
    let routes = socket.get_routes_for_table(TABLE_MAIN).await.doing(what)?;
    let mut of_address = routes.iter().filter(|route| route.destination() == Some(&address));
    Ok(of_address.any(|route| route.oif() != own))
}

/// Routes an address to a port.
async fn route_to(fabric: &Namespace, port: &str, address: IpAddr) -> Result<(), LinuxError> {
    let way = Way { gateway: None, link: Some(port), onlink: false, table: TABLE_MAIN };
    routes::set(&fabric.route()?, routes::host(address), way).await
}

/// Takes an address away from whatever port has it.
pub(crate) async fn unroute(fabric: &Namespace, address: IpAddr) -> Result<(), LinuxError> {
    if !fabric.exists() {
        return Ok(());
    }
    routes::remove(&fabric.route()?, routes::host(address), TABLE_MAIN).await
}

fn v6_router() -> ipnet::IpNet {
    ipnet::IpNet::new(ROUTER_V6.into(), 64).expect("64 is a prefix length")
}
