//! `VpnConnection`.

use std::net::IpAddr;

use causeway_dialect::time;
use causeway_model::{Connection, ConnectionState, Policy, Selection, Tunnel, View};
use ipnet::IpNet;
use serde_json::{Value, json};

use crate::facet::{self, ConnectionFacet};
use crate::shapes::algorithms::{
    ESP_ENCRYPTION, ESP_INTEGRITY, IKE_ENCRYPTION, IKE_GROUPS, IKE_INTEGRITY, PFS_GROUPS, ike_version, word,
};
use crate::shapes::tag_set;

/// The type of connections whose traffic static routes choose.
const STATIC_ROUTE: &str = "StaticRoute";

/// A connection. Every member that clients read without a check is present.
pub fn connection(view: &View, it: &Connection) -> Value {
    let own: ConnectionFacet = facet::read(&it.meta.facet);
    let network = view.gateway(it.gateway).and_then(|gateway| gateway.network);
    let tunnel = it.tunnels.first();
    let peer = tunnel.map_or("", |tunnel| view.external(tunnel.customer_gateway));
    // The API hands out the key in clear text, and clients compare it.
    let psk = tunnel.map_or("", |tunnel| tunnel.psk.expose());
    let mut value = json!({
        "VpnConnectionId": it.meta.external.as_str(),
        "VpnConnectionName": it.meta.name,
        "VpcId": network.map_or("", |network| view.external(network)),
        "VpnGatewayId": view.external(it.gateway),
        "CustomerGatewayId": peer,
        "PreShareKey": psk,
        "VpnProto": "IPSEC",
        "EncryptProto": "IKE",
        "RouteType": own.route_type,
        "CreatedTime": time::china_standard(it.meta.created),
        "State": state(it.state()),
        "NetStatus": if it.is_up() { "AVAILABLE" } else { "UNAVAILABLE" },
        "SecurityPolicyDatabaseSet": policies(it, &own),
        "IKEOptionsSpecification": tunnel.map(|tunnel| ike(tunnel, &own)),
        "IPSECOptionsSpecification": tunnel.map(|tunnel| esp(tunnel, &own)),
        "EnableHealthCheck": own.health_check,
        "HealthCheckLocalIp": own.health_local_ip,
        "HealthCheckRemoteIp": own.health_remote_ip,
        // No probe is sent (`docs/operating.md`), and so none has come back or was lost.
        "HealthCheckStatus": "",
        "DpdEnable": i32::from(own.dpd_enable),
        "DpdTimeout": own.dpd_timeout,
        "DpdAction": own.dpd_action,
        "TagSet": tag_set(&it.meta),
        "NegotiationType": own.negotiation_type,
        "HealthCheckConfig": health_config(&own),
    });
    let bgp = tunnel.and_then(|tunnel| tunnel.bgp.as_ref());
    if let (Some(bgp), Some(members)) = (bgp, value.as_object_mut()) {
        // The numbers are texts here and integers elsewhere.
        let config = json!({
            "TunnelCidr": bgp.tunnel_cidr.to_string(),
            "LocalBgpIp": bgp.local_ip.to_string(),
            "RemoteBgpIp": bgp.peer_ip.to_string(),
            "LocalBgpAsn": bgp.local_asn.to_string(),
            "RemoteBgpAsn": bgp.peer_asn.to_string(),
        });
        members.insert("BgpConfig".to_owned(), config);
    }
    value
}

/// The state's word (that of a change is unverified).
fn state(state: ConnectionState) -> &'static str {
    match state {
        ConnectionState::Provisioning => "PENDING",
        ConnectionState::Active => "AVAILABLE",
        ConnectionState::Updating => "UPDATING",
        ConnectionState::Deleting => "DELETING",
    }
}

/// The pairs of ranges. Where routes choose, those that were given; of `StaticRoute` without any the pair of
/// everything, as the API's example has it. Of the other types it shows nothing then: Terraform reads the list of
/// all types but `StaticRoute`, and would want to take away what its user never wrote.
fn policies(it: &Connection, own: &ConnectionFacet) -> Value {
    let one = |policy: &Policy| {
        let remotes: Vec<String> = policy.remotes.iter().map(ToString::to_string).collect();
        json!({"LocalCidrBlock": policy.local.to_string(), "RemoteCidrBlock": remotes})
    };
    match &it.selection {
        Selection::Policies(policies) => policies.iter().map(one).collect(),
        Selection::Ranges => {
            let policy = |local: &IpNet| Policy { local: *local, remotes: it.remote_subnets.clone() };
            it.local_subnets.iter().map(|local| one(&policy(local))).collect()
        }
        Selection::Routes | Selection::Bgp
            if own.idle_policies.is_empty() && own.route_type == STATIC_ROUTE =>
        {
            json!([{"LocalCidrBlock": "0.0.0.0/0", "RemoteCidrBlock": ["0.0.0.0/0"]}])
        }
        Selection::Routes | Selection::Bgp => own.idle_policies.iter().map(one).collect(),
    }
}

/// An identity as address and name, of which one is empty.
fn identity(kind: &str, id: &str) -> (String, String) {
    if kind == "FQDN" && id.parse::<IpAddr>().is_err() {
        (String::new(), id.to_owned())
    } else {
        (id.to_owned(), String::new())
    }
}

fn ike(tunnel: &Tunnel, own: &ConnectionFacet) -> Value {
    let (local_address, local_name) = identity(&own.local_identity, &tunnel.local_id);
    let (remote_address, remote_name) = identity(&own.remote_identity, &tunnel.remote_id);
    json!({
        "PropoEncryAlgorithm": word(IKE_ENCRYPTION, &tunnel.ike.encryption),
        "PropoAuthenAlgorithm": word(&IKE_INTEGRITY, &tunnel.ike.integrity),
        "ExchangeMode": own.exchange_mode,
        "LocalIdentity": own.local_identity,
        "RemoteIdentity": own.remote_identity,
        "LocalAddress": local_address,
        "RemoteAddress": remote_address,
        "LocalFqdnName": local_name,
        "RemoteFqdnName": remote_name,
        "DhGroupName": word(IKE_GROUPS, &tunnel.ike.dh_group),
        "IKESaLifetimeSeconds": tunnel.ike.lifetime_s,
        "IKEVersion": ike_version(tunnel.ike.version),
    })
}

fn esp(tunnel: &Tunnel, own: &ConnectionFacet) -> Value {
    let integrity = word(&ESP_INTEGRITY, &tunnel.esp.integrity);
    json!({
        "EncryptAlgorithm": word(&ESP_ENCRYPTION, &tunnel.esp.encryption),
        // The old spelling must stay: Terraform reads it without a check.
        "IntegrityAlgorith": integrity,
        "IntegrityAlgorithm": integrity,
        "IPSECSaLifetimeSeconds": tunnel.esp.lifetime_s,
        "PfsDhGroup": word(PFS_GROUPS, &tunnel.esp.pfs_group),
        "IPSECSaLifetimeTraffic": own.lifetime_traffic_kb,
    })
}

fn health_config(own: &ConnectionFacet) -> Value {
    json!({
        "ProbeType": "NQA",
        "ProbeInterval": own.probe_interval_ms,
        "ProbeThreshold": own.probe_threshold,
        "ProbeTimeout": own.probe_timeout_ms,
    })
}
