//! Networks and subnets: a namespace that routes, and a bridge per subnet.

use causeway_plan::Subnet;
use ipnet::IpNet;

use crate::error::{Doing, LinuxError};
use crate::links;
use crate::names;
use crate::netns::{Namespace, ROUTER_SYSCTLS};

/// Makes a network's router.
pub(crate) async fn ensure(namespace: &Namespace) -> Result<(), LinuxError> {
    namespace.ensure(ROUTER_SYSCTLS).await
}

/// Makes a subnet's bridge with the router's address.
pub(crate) async fn ensure_subnet(namespace: &Namespace, subnet: &Subnet) -> Result<(), LinuxError> {
    let socket = namespace.route()?;
    let bridge = names::bridge(&subnet.key);
    links::ensure_bridge(&socket, &bridge).await?;
    let router = IpNet::new(subnet.router_ip, subnet.cidr.prefix_len()).expect("the length of a prefix");
    links::set_addresses(&socket, &bridge, &[router]).await
}

/// Removes a subnet's bridge.
pub(crate) async fn remove_subnet(
    namespace: &Namespace,
    subnet: &causeway_plan::SubnetKey,
) -> Result<(), LinuxError> {
    if !namespace.exists() {
        return Ok(());
    }
    links::remove(&namespace.route()?, &names::bridge(subnet)).await
}

/// The names of the links in a namespace; none when it does not exist.
pub(crate) async fn links_in(namespace: &Namespace) -> Result<Vec<String>, LinuxError> {
    if !namespace.exists() {
        return Ok(Vec::new());
    }
    let links = namespace.route()?.get_links().await.doing(|| format!("links of {}", namespace.name()))?;
    Ok(links.iter().filter_map(|link| link.name().map(str::to_owned)).collect())
}
