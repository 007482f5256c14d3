//! Hosts in a subnet of a network.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use causeway_engine_linux::names;
use causeway_engine_linux::netns::{HOST_SYSCTLS, Namespace};
use causeway_engine_linux::{links, routes};
use causeway_plan::{NetworkKey, SubnetKey};
use ipnet::IpNet;

use crate::Lab;
use crate::error::LabError;
use crate::exec::Machine;

/// The one link of a host.
pub(crate) const LINK: &str = "eth0";

/// How long a subnet may take to be made.
const SUBNET_LIMIT: Duration = Duration::from_secs(5);

/// A host to make.
#[derive(Debug, Clone)]
pub struct HostSpec {
    pub name: String,
    pub network: NetworkKey,
    pub subnet: SubnetKey,
    /// The host's address, with the subnet's prefix length.
    pub address: IpNet,
    /// The subnet's router.
    pub router_ip: IpAddr,
}

impl Lab {
    /// Makes a host and attaches it to its subnet's bridge. A subnet that an API has just answered for may be a
    /// moment from being made: it is waited for.
    ///
    /// # Errors
    /// [`LabError::HostAddress`], [`LabError::NoSubnet`] when the subnet is not on this node, or [`LabError::Node`].
    pub async fn add_host(&self, spec: &HostSpec) -> Result<Machine, LabError> {
        let here = self.namespace(&spec.name)?;
        if !is_for_a_host(spec) {
            return Err(LabError::HostAddress(spec.address.addr()));
        }
        let network = Namespace::named(self.names.network(&spec.network));
        let bridge = names::bridge(&spec.subnet);
        let begun = Instant::now();
        while !network.exists() || !links::exists(&network.route()?, &bridge).await? {
            if begun.elapsed() > SUBNET_LIMIT {
                return Err(LabError::NoSubnet(spec.name.clone()));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        here.ensure(HOST_SYSCTLS).await?;
        let port = format!("h-{}", spec.name);
        links::ensure_veth((&here, LINK), (&network, &port)).await?;
        links::join_bridge(&network.route()?, &port, &bridge).await?;
        configure(&here, spec.address, spec.router_ip).await?;
        Ok(Machine::new(here))
    }
}

/// Whether an address is in the subnet, and neither the router's nor one for all.
fn is_for_a_host(spec: &HostSpec) -> bool {
    let (own, subnet) = (spec.address.addr(), spec.address.trunc());
    let is_for_all = own.is_ipv4() && (own == subnet.network() || own == subnet.broadcast());
    subnet.contains(&spec.router_ip) && own != spec.router_ip && !is_for_all
}

/// Gives a host its address and its default route.
pub(crate) async fn configure(host: &Namespace, address: IpNet, router: IpAddr) -> Result<(), LabError> {
    let socket = host.route()?;
    links::set_addresses(&socket, LINK, &[address]).await?;
    links::up(&socket, LINK).await?;
    let way =
        routes::Way { gateway: Some(router), link: Some(LINK), onlink: false, table: routes::TABLE_MAIN };
    Ok(routes::set(&socket, routes::default_of(router), way).await?)
}

#[cfg(test)]
mod tests {
    use super::{HostSpec, NetworkKey, SubnetKey, is_for_a_host};

    #[test]
    fn a_host_has_an_address_of_its_own_in_the_subnet() {
        let is_good = |address: &str, router: &str| {
            is_for_a_host(&HostSpec {
                name: "web".to_owned(),
                network: NetworkKey::new("n").unwrap(),
                subnet: SubnetKey::new("s").unwrap(),
                address: address.parse().unwrap(),
                router_ip: router.parse().unwrap(),
            })
        };
        assert!(is_good("10.0.1.100/24", "10.0.1.1") && is_good("fd00::2/64", "fd00::1"));
        for wrong in ["10.0.1.1/24", "10.0.1.0/24", "10.0.1.255/24", "10.9.1.100/24"] {
            assert!(!is_good(wrong, "10.0.1.1"), "{wrong}");
        }
    }
}
