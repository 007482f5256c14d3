//! Tunnels: their options, and what is observed of them.

use causeway_model::{
    Connection, ConnectionState, EspProposal, Gateway, IkeProposal, Tunnel, TunnelStatus, View,
};
use serde_json::{Value, json};

use crate::algorithms;
use crate::facet::ConnectionFacet;

/// How lifetimes are written: as numbers in connections, as texts in lists of tunnels.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    /// As numbers.
    Plain,
    /// As texts.
    Texts,
}

impl Numbers {
    fn write(self, number: u32) -> Value {
        match self {
            Numbers::Plain => number.into(),
            Numbers::Texts => number.to_string().into(),
        }
    }
}

/// The two identities of a tunnel, the near one first, and its key.
pub struct Credentials<'a> {
    /// The near identity.
    pub local_id: &'a str,
    /// The far identity.
    pub remote_id: &'a str,
    /// The pre-shared key.
    pub psk: &'a causeway_model::Secret,
}

/// The IKE options. `asked_mode`: the word that was sent for the mode, which IKEv2 does not have.
pub fn ike_config(
    ike: &IkeProposal,
    credentials: &Credentials<'_>,
    asked_mode: Option<&String>,
    numbers: Numbers,
) -> Value {
    let (version, mode) = algorithms::version_words(ike.version);
    let mode = asked_mode.map_or(mode, String::as_str);
    json!({
        "Psk": credentials.psk.expose(),
        "IkeVersion": version,
        "IkeMode": mode,
        "IkeEncAlg": algorithms::encryption_word(ike.encryption),
        "IkeAuthAlg": algorithms::integrity_word(ike.integrity),
        "IkePfs": algorithms::group_word(ike.dh_group),
        "IkeLifetime": numbers.write(ike.lifetime_s),
        "LocalId": credentials.local_id,
        "RemoteId": credentials.remote_id,
    })
}

/// The IPsec options.
pub fn ipsec_config(esp: &EspProposal, numbers: Numbers) -> Value {
    json!({
        "IpsecEncAlg": algorithms::encryption_word(esp.encryption),
        "IpsecAuthAlg": algorithms::integrity_word(esp.integrity),
        "IpsecPfs": algorithms::pfs_word(esp.pfs_group),
        "IpsecLifetime": numbers.write(esp.lifetime_s),
    })
}

/// Identities and key as the gateway sees them.
pub fn credentials(tunnel: &Tunnel) -> Credentials<'_> {
    Credentials { local_id: &tunnel.local_id, remote_id: &tunnel.remote_id, psk: &tunnel.psk }
}

/// The word for what is observed. Phase 1 is up without phase 2 either for a moment, or because phase 2 was
/// refused: then the daemon says why.
pub fn status(observed: &TunnelStatus) -> &'static str {
    if observed.child_installed {
        "ipsec_sa_established"
    } else if !observed.ike_established {
        "ike_sa_not_established"
    } else if observed.trouble.is_empty() {
        "ike_sa_established"
    } else {
        "ipsec_sa_not_established"
    }
}

/// The word for a state. A connection that is made for the first time is shown as one that changes.
pub fn state(state: ConnectionState) -> &'static str {
    match state {
        ConnectionState::Active => "active",
        ConnectionState::Provisioning | ConnectionState::Updating => "updating",
        ConnectionState::Deleting => "deleting",
    }
}

fn bgp_config(tunnel: &Tunnel) -> Value {
    let Some(bgp) = &tunnel.bgp else { return json!({}) };
    json!({
        "TunnelCidr": bgp.tunnel_cidr.to_string(),
        "LocalAsn": bgp.local_asn.to_string(),
        "LocalBgpIp": bgp.local_ip.to_string(),
        "PeerAsn": bgp.peer_asn.to_string(),
        "PeerBgpIp": bgp.peer_ip.to_string(),
        // No session was observed.
        "BgpStatus": "failed",
    })
}

/// The zone of an instance of a gateway.
pub fn zone(gateway: Option<&Gateway>, ordinal: usize, view: &View) -> String {
    let subnet = gateway.and_then(|it| it.instances.get(ordinal)).and_then(|instance| instance.subnet);
    subnet.and_then(|id| view.subnet(id)).map(|subnet| subnet.zone.to_string()).unwrap_or_default()
}

/// One item of the list of tunnels.
pub fn describe(
    connection: &Connection,
    ordinal: usize,
    facet: &ConnectionFacet,
    view: &View,
) -> Option<Value> {
    let tunnel = connection.tunnels.get(ordinal)?;
    let gateway = view.gateway(connection.gateway).map(|it| &**it);
    let address = gateway.and_then(|it| it.instances.get(ordinal)).map(|it| it.public_ip.to_string());
    Some(json!({
        "TunnelId": tunnel.external.as_ref().map(|id| id.as_str()).unwrap_or_default(),
        "TunnelIndex": ordinal + 1,
        "Role": if ordinal == 0 { "master" } else { "slave" },
        "CustomerGatewayId": view.external(tunnel.customer_gateway),
        "InternetIp": address.unwrap_or_default(),
        "ZoneNo": zone(gateway, ordinal, view),
        "State": state(connection.state()),
        "Status": status(&connection.tunnel_status(ordinal)),
        "EnableDpd": tunnel.dpd.is_some().to_string(),
        "EnableNatTraversal": tunnel.nat_traversal.to_string(),
        "RemoteCaCertificate": facet.certificates.get(ordinal).map(String::as_str).unwrap_or_default(),
        "TunnelIkeConfig": ike_config(&tunnel.ike, &credentials(tunnel), facet.ike_modes.get(ordinal), Numbers::Texts),
        "TunnelIpsecConfig": ipsec_config(&tunnel.esp, Numbers::Texts),
        "TunnelBgpConfig": bgp_config(tunnel),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_words() {
        let of = |ike_established, child_installed, trouble: &str| {
            let trouble = trouble.to_owned();
            status(&TunnelStatus { ike_established, child_installed, trouble, ..TunnelStatus::default() })
        };
        assert_eq!(of(false, false, ""), "ike_sa_not_established");
        assert_eq!(of(true, false, ""), "ike_sa_established");
        assert_eq!(of(true, false, "NO_PROPOSAL_CHOSEN"), "ipsec_sa_not_established");
        assert_eq!(of(true, true, ""), "ipsec_sa_established");
    }
}
