//! What the device at the far end has to know, seen from its side.

use std::net::IpAddr;

use causeway_model::{Connection, EspProposal, IkeProposal, Key, Secret, TrafficSelectors, View};
use ipnet::IpNet;

/// BGP inside a tunnel, seen from the device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerBgp {
    /// The range of the link.
    pub tunnel_cidr: IpNet,
    /// The device's address in it.
    pub local_ip: IpAddr,
    /// The gateway's address in it.
    pub peer_ip: IpAddr,
    /// The device's number.
    pub local_asn: u32,
    /// The gateway's number.
    pub peer_asn: u32,
}

/// One tunnel, seen from the device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerTunnel {
    /// A name for it: letters, digits and dashes.
    pub name: String,
    /// The device's public address.
    pub local: IpAddr,
    /// The gateway's public address.
    pub remote: IpAddr,
    /// IKE identity of the device.
    pub local_id: String,
    /// IKE identity of the gateway.
    pub remote_id: String,
    /// The pre-shared key.
    pub psk: Secret,
    /// The IKE_SA's algorithms.
    pub ike: IkeProposal,
    /// The CHILD_SA's algorithms.
    pub esp: EspProposal,
    /// BGP, if the connection uses it.
    pub bgp: Option<PeerBgp>,
}

/// One connection, seen from the device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerConfig {
    /// A name for it: letters, digits and dashes.
    pub name: String,
    /// What each CHILD_SA protects with IKEv2, the device's ranges as the local ones. IKEv1 has one CHILD_SA for
    /// each pair of them.
    pub selectors: Vec<TrafficSelectors>,
    /// Its one or two tunnels, the preferred one first.
    pub tunnels: Vec<PeerTunnel>,
}

/// The connection speaks of something that the snapshot does not hold.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the snapshot has no {0}")]
pub struct Unknown(pub Key);

/// A name that every configuration language takes: other characters than letters and digits become dashes.
pub fn plain_name(text: &str) -> String {
    text.chars().map(|it| if it.is_ascii_alphanumeric() { it } else { '-' }).collect()
}

impl PeerConfig {
    /// Each pair of a range on the device's side and one on the gateway's.
    pub fn pairs(&self) -> impl Iterator<Item = (IpNet, IpNet)> {
        self.selectors.iter().flat_map(TrafficSelectors::pairs)
    }

    /// The far end's view of a connection.
    ///
    /// # Errors
    /// [`Unknown`] when its gateway or a customer gateway is not in the snapshot.
    pub fn of(view: &View, connection: &Connection) -> Result<PeerConfig, Unknown> {
        let gateway = view.gateway(connection.gateway).ok_or(Unknown(connection.gateway.key()))?;
        let name = plain_name(connection.meta.external.as_str());
        let selectors = connection.selectors().iter().map(TrafficSelectors::reversed).collect();
        let mut tunnels = Vec::new();
        for (ordinal, (tunnel, instance)) in connection.tunnels.iter().zip(&gateway.instances).enumerate() {
            let id = tunnel.customer_gateway;
            let device = view.customer_gateway(id).ok_or(Unknown(id.key()))?;
            tunnels.push(PeerTunnel {
                name: format!("{name}-{}", ordinal + 1),
                local: device.ip,
                remote: instance.public_ip,
                local_id: tunnel.remote_id.clone(),
                remote_id: tunnel.local_id.clone(),
                psk: tunnel.psk.clone(),
                ike: tunnel.ike.clone(),
                esp: tunnel.esp.clone(),
                bgp: tunnel.bgp.as_ref().map(|bgp| PeerBgp {
                    tunnel_cidr: bgp.tunnel_cidr,
                    local_ip: bgp.peer_ip,
                    peer_ip: bgp.local_ip,
                    local_asn: bgp.peer_asn,
                    peer_asn: bgp.local_asn,
                }),
            });
        }
        Ok(PeerConfig { name, selectors, tunnels })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        assert_eq!(plain_name("vco-bp1 a.b"), "vco-bp1-a-b");
    }
}
