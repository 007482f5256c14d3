//! IPsec connections.

use causeway_model::{Connection, Initiation, TunnelBgp, TunnelStatus, View};
use ipnet::IpNet;
use serde_json::{Map, Value, json};

use crate::facet::{self, ConnectionFacet, IdleBgp, IdleCheck};
use crate::shapes::tunnel::{self, Numbers};
use crate::tags;

/// Single reads and lists differ in a few members.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The answer of DescribeVpnConnection.
    Alone,
    /// An item of DescribeVpnConnections.
    InList,
}

/// Ranges with commas between them.
pub fn joined(ranges: &[IpNet]) -> String {
    ranges.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// What is observed of the best tunnel.
fn best(connection: &Connection) -> TunnelStatus {
    let statuses = (0..connection.tunnels.len()).map(|ordinal| connection.tunnel_status(ordinal));
    statuses.max_by_key(|it| (it.child_installed, it.ike_established)).unwrap_or_default()
}

fn bgp_config(bgp: Option<&TunnelBgp>, idle: &IdleBgp, key: Option<&str>, place: Place) -> Value {
    // No session was observed; the word for that differs.
    let down = if place == Place::Alone { "failed" } else { "false" };
    let mut shown = Map::new();
    let mut show = |name: &str, value: Value| shown.insert(name.to_owned(), value);
    show("Status", down.into());
    if place == Place::Alone {
        show("EnableBgp", bgp.is_some().to_string().into());
    }
    if let Some(bgp) = bgp {
        show("TunnelCidr", bgp.tunnel_cidr.to_string().into());
        show("LocalAsn", bgp.local_asn.into());
        show("LocalBgpIp", bgp.local_ip.to_string().into());
        show("PeerAsn", bgp.peer_asn.into());
        show("PeerBgpIp", bgp.peer_ip.to_string().into());
        show("AuthKey", key.unwrap_or_default().into());
    } else {
        // What was sent is what is read: Terraform compares it.
        let idle = [
            ("TunnelCidr", idle.tunnel_cidr.clone().map(Value::from)),
            ("LocalAsn", idle.local_asn.map(Value::from)),
            ("LocalBgpIp", idle.local_ip.clone().map(Value::from)),
        ];
        for (name, value) in idle {
            if let Some(value) = value {
                show(name, value);
            }
        }
    }
    Value::Object(shown)
}

fn policy(revoke_routes: bool) -> &'static str {
    if revoke_routes { "revoke_route" } else { "reserve_route" }
}

fn health_check(connection: &Connection, idle: Option<&IdleCheck>) -> Value {
    // No probe is sent (`docs/operating.md`), and so none has come back or was lost.
    let status = "";
    match (&connection.health_check, idle) {
        (Some(check), _) => json!({
            "Enable": "true", "Sip": check.source.to_string(), "Dip": check.destination.to_string(),
            "Interval": check.interval_s, "Retry": check.retries, "Status": status,
            "Policy": policy(check.revoke_routes),
        }),
        (None, Some(check)) => json!({
            "Enable": "false", "Sip": check.source, "Dip": check.destination, "Interval": check.interval_s,
            "Retry": check.retries, "Status": status, "Policy": policy(check.revoke_routes),
        }),
        (None, None) => json!({
            "Enable": "false", "Sip": "", "Dip": "", "Interval": 3, "Retry": 3, "Status": status,
            "Policy": policy(true),
        }),
    }
}

/// The members that speak of one tunnel: of the only one, or empty beside a list.
fn of_single_tunnel(connection: &Connection, facet: &ConnectionFacet) -> (Value, Value, bool, bool) {
    let first = connection.tunnels.first();
    let has_dpd = first.is_some_and(|it| it.dpd.is_some());
    let has_nat_traversal = first.is_some_and(|it| it.nat_traversal);
    match first {
        Some(it) if !facet.has_tunnel_list => (
            tunnel::ike_config(&it.ike, &tunnel::credentials(it), facet.ike_modes.first(), Numbers::Plain),
            tunnel::ipsec_config(&it.esp, Numbers::Plain),
            has_dpd,
            has_nat_traversal,
        ),
        _ => (json!({}), json!({}), has_dpd, has_nat_traversal),
    }
}

fn tunnels(connection: &Connection, facet: &ConnectionFacet, view: &View) -> Vec<Value> {
    if !facet.has_tunnel_list {
        return Vec::new();
    }
    let all = 0..connection.tunnels.len();
    all.filter_map(|ordinal| tunnel::describe(connection, ordinal, facet, view)).collect()
}

/// A connection.
pub fn describe(connection: &Connection, place: Place, view: &View) -> Value {
    let meta = &connection.meta;
    let facet: ConnectionFacet = facet::read(meta);
    let gateway = view.gateway(connection.gateway).map(|it| &**it);
    let gateway_id = view.external(connection.gateway);
    let first = connection.tunnels.first();
    let peer = first.and_then(|it| view.customer_gateway(it.customer_gateway));
    let key = peer.and_then(|it| it.bgp_key.as_ref()).map(|key| key.expose());
    let address = gateway.and_then(|it| it.instances.first()).map(|it| it.public_ip.to_string());
    let bgp = first.filter(|_| !facet.has_tunnel_list).and_then(|tunnel| tunnel.bgp.as_ref());
    // Of a list each tunnel has its own: Terraform would make the connection anew for one that it did not send.
    let only_peer = peer.filter(|_| !facet.has_tunnel_list);
    let (ike, ipsec, has_dpd, has_nat_traversal) = of_single_tunnel(connection, &facet);
    let mut shown = json!({
        "VpnConnectionId": meta.external,
        "VpnGatewayId": gateway_id,
        "CustomerGatewayId": only_peer.map(|it| it.meta.external.as_str()).unwrap_or_default(),
        "Name": meta.name,
        "CreateTime": meta.created.0,
        "LocalSubnet": joined(&connection.local_subnets),
        "RemoteSubnet": joined(&connection.remote_subnets),
        "EffectImmediately": connection.initiation == Initiation::AtOnce,
        "State": tunnel::state(connection.state()),
        "Status": tunnel::status(&best(connection)),
        "AttachType": "VPNGW",
        "AttachInstanceId": gateway_id,
        "NetworkType": "public",
        "InternetIp": address.unwrap_or_default(),
        "Spec": gateway.map(|it| format!("{}M", it.bandwidth_mbps)).unwrap_or_default(),
        "ResourceGroupId": meta.resource_group,
        "CrossAccountAuthorized": false,
        "TransitRouterId": "",
        "TransitRouterName": "",
        "TunnelBandwidth": "Standard",
        "EnableDpd": has_dpd,
        "EnableNatTraversal": has_nat_traversal,
        "EnableTunnelsBgp": facet.tunnels_bgp,
        "RemoteCaCertificate": facet.certificates.first().map(String::as_str).unwrap_or_default(),
        "IkeConfig": ike,
        "IpsecConfig": ipsec,
        "VpnBgpConfig": bgp_config(bgp, facet.idle_bgp.as_ref().unwrap_or(&IdleBgp::default()), key, place),
        "VcoHealthCheck": health_check(connection, facet.idle_check.as_ref()),
        "TunnelOptionsSpecification": {"TunnelOptions": tunnels(connection, &facet, view)},
    });
    if let Some(members) = shown.as_object_mut() {
        // The same thing has two names.
        let name = if place == Place::Alone { "Tags" } else { "Tag" };
        members.insert(name.to_owned(), tags::shown(meta));
        if place == Place::Alone {
            members.insert("ZoneNo".to_owned(), tunnel::zone(gateway, 0, view).into());
        }
    }
    shown
}
