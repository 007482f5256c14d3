//! The downloaded configuration of a connection: written for the answer, and read back by who sets up a site
//! from nothing but that answer.

use std::net::IpAddr;

use causeway_model::{Connection, EspProposal, IkeProposal, Secret, TrafficSelectors, View};
use causeway_peerconfig::facts::plain_name;
use causeway_peerconfig::{PeerBgp, PeerConfig, PeerTunnel, Unknown};
use ipnet::IpNet;
use serde_json::{Map, Value, json};

use crate::algorithms;
use crate::facet::{self, ConnectionFacet};
use crate::params::Fields;
use crate::shapes::connection::joined;
use crate::shapes::tunnel::{Credentials, Numbers, ike_config, ipsec_config};

/// The configuration as the answer has it. Near is the customer's side.
///
/// # Errors
/// [`Unknown`] when the snapshot lacks a part of the connection.
pub(crate) fn write(connection: &Connection, view: &View) -> Result<Value, Unknown> {
    let config = PeerConfig::of(view, connection)?;
    let facet: ConnectionFacet = facet::read(&connection.meta);
    let ids = connection.tunnels.iter().map(|tunnel| tunnel.external.as_ref().map_or("", |id| id.as_str()));
    let tunnels: Vec<(&PeerTunnel, &str)> = config.tunnels.iter().zip(ids).collect();
    let listed = tunnels.iter().filter(|_| facet.has_tunnel_list);
    let listed: Vec<Value> = listed.map(|(tunnel, id)| with_id(tunnel_config(tunnel), id)).collect();
    let bgp: Vec<Value> = tunnels.iter().filter_map(|(tunnel, id)| bgp_config(tunnel, id)).collect();
    let first = config.tunnels.first().map_or_else(|| json!({}), tunnel_config);
    let mut shown = json!({
        "LocalSubnet": joined(&connection.remote_subnets),
        "RemoteSubnet": joined(&connection.local_subnets),
        "TunnelsConfig": {"TunnelConfig": listed},
        "BgpConfigs": {"BgpConfig": bgp},
    });
    if let (Some(members), Value::Object(first)) = (shown.as_object_mut(), first) {
        members.extend(first);
    }
    Ok(shown)
}

fn with_id(mut config: Value, id: &str) -> Value {
    if let Some(members) = config.as_object_mut() {
        members.insert("TunnelId".to_owned(), id.into());
    }
    config
}

fn tunnel_config(tunnel: &PeerTunnel) -> Value {
    let credentials =
        Credentials { local_id: &tunnel.local_id, remote_id: &tunnel.remote_id, psk: &tunnel.psk };
    json!({
        "Local": tunnel.local.to_string(),
        "Remote": tunnel.remote.to_string(),
        "IkeConfig": ike_config(&tunnel.ike, &credentials, None, Numbers::Plain),
        "IpsecConfig": ipsec_config(&tunnel.esp, Numbers::Plain),
    })
}

fn bgp_config(tunnel: &PeerTunnel, id: &str) -> Option<Value> {
    let bgp = tunnel.bgp.as_ref()?;
    Some(json!({
        "TunnelId": id,
        "TunnelCidr": bgp.tunnel_cidr.to_string(),
        "LocalAsn": bgp.local_asn.to_string(),
        "LocalBgpIp": bgp.local_ip.to_string(),
        "PeerAsn": bgp.peer_asn.to_string(),
        "PeerBgpIp": bgp.peer_ip.to_string(),
    }))
}

/// A downloaded configuration that can't be read: the member that is missing or malformed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the downloaded configuration has no good {0}")]
pub struct Unreadable(pub &'static str);

/// Reads the answer of DownloadVpnConnectionConfig. `name` is what the connection shall be called.
///
/// # Errors
/// [`Unreadable`].
pub fn read(name: &str, answer: &Value) -> Result<PeerConfig, Unreadable> {
    let config = answer.get("VpnConnectionConfig").unwrap_or(answer);
    let config = config.as_object().ok_or(Unreadable("VpnConnectionConfig"))?;
    let name = plain_name(name);
    let (local, remote) = (ranges(config, "LocalSubnet")?, ranges(config, "RemoteSubnet")?);
    let bgp = items(config, "BgpConfigs", "BgpConfig");
    let listed = items(config, "TunnelsConfig", "TunnelConfig");
    let sources: Vec<&Map<String, Value>> = if listed.is_empty() { vec![config] } else { listed };
    let mut tunnels = Vec::new();
    for (ordinal, source) in sources.into_iter().enumerate() {
        let id = source.get("TunnelId").and_then(Value::as_str).unwrap_or_default();
        let own_bgp =
            bgp.iter().find(|it| it.get("TunnelId").and_then(Value::as_str).unwrap_or_default() == id);
        let own_bgp = own_bgp.map(|it| read_bgp(it)).transpose()?;
        tunnels.push(read_tunnel(format!("{name}-{}", ordinal + 1), source, own_bgp)?);
    }
    Ok(PeerConfig { name, selectors: vec![TrafficSelectors { local, remote }], tunnels })
}

fn items<'a>(config: &'a Map<String, Value>, outer: &str, inner: &str) -> Vec<&'a Map<String, Value>> {
    let list = config.get(outer).and_then(|it| it.get(inner)).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_object).collect()
}

fn ranges(config: &Map<String, Value>, name: &'static str) -> Result<Vec<IpNet>, Unreadable> {
    let text = config.get(name).and_then(Value::as_str).ok_or(Unreadable(name))?;
    text.split(',').map(|part| part.trim().parse().map_err(|_| Unreadable(name))).collect()
}

fn parsed<T: std::str::FromStr>(fields: &Fields<'_>, name: &'static str) -> Result<T, Unreadable> {
    fields.text(name).and_then(|text| text.parse().ok()).ok_or(Unreadable(name))
}

fn word<T>(fields: &Fields<'_>, name: &'static str, read: fn(&str) -> Option<T>) -> Result<T, Unreadable> {
    fields.text(name).and_then(|text| read(&text)).ok_or(Unreadable(name))
}

fn part<'a>(source: &'a Map<String, Value>, name: &'static str) -> Result<Fields<'a>, Unreadable> {
    source.get(name).and_then(Value::as_object).map(Fields::of_members).ok_or(Unreadable(name))
}

fn read_tunnel(
    name: String,
    source: &Map<String, Value>,
    bgp: Option<PeerBgp>,
) -> Result<PeerTunnel, Unreadable> {
    let own = Fields::of_members(source);
    let (ike, ipsec) = (part(source, "IkeConfig")?, part(source, "IpsecConfig")?);
    let local: IpAddr = parsed(&own, "Local")?;
    let remote: IpAddr = parsed(&own, "Remote")?;
    let (version, mode) = (ike.text("IkeVersion"), ike.text("IkeMode"));
    let version = algorithms::version(&version.unwrap_or_default(), &mode.unwrap_or_default());
    let pfs = ipsec.text("IpsecPfs").filter(|word| word != algorithms::NO_PFS);
    Ok(PeerTunnel {
        name,
        local,
        remote,
        local_id: ike.text("LocalId").unwrap_or_else(|| local.to_string()),
        remote_id: ike.text("RemoteId").unwrap_or_else(|| remote.to_string()),
        psk: Secret::new(ike.text("Psk").ok_or(Unreadable("Psk"))?),
        ike: IkeProposal {
            version: version.ok_or(Unreadable("IkeVersion"))?,
            encryption: word(&ike, "IkeEncAlg", algorithms::encryption)?,
            integrity: word(&ike, "IkeAuthAlg", algorithms::integrity)?,
            dh_group: word(&ike, "IkePfs", algorithms::group)?,
            lifetime_s: parsed(&ike, "IkeLifetime")?,
        },
        esp: EspProposal {
            encryption: word(&ipsec, "IpsecEncAlg", algorithms::encryption)?,
            integrity: word(&ipsec, "IpsecAuthAlg", algorithms::integrity)?,
            pfs_group: pfs.map(|it| algorithms::group(&it).ok_or(Unreadable("IpsecPfs"))).transpose()?,
            lifetime_s: parsed(&ipsec, "IpsecLifetime")?,
            lifetime_bytes: None,
        },
        bgp,
    })
}

fn read_bgp(source: &Map<String, Value>) -> Result<PeerBgp, Unreadable> {
    let fields = Fields::of_members(source);
    Ok(PeerBgp {
        tunnel_cidr: parsed(&fields, "TunnelCidr")?,
        local_ip: parsed(&fields, "LocalBgpIp")?,
        peer_ip: parsed(&fields, "PeerBgpIp")?,
        local_asn: parsed(&fields, "LocalAsn")?,
        peer_asn: parsed(&fields, "PeerAsn")?,
    })
}

#[cfg(test)]
#[path = "download_tests.rs"]
mod tests;
