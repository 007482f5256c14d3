//! CreateVpnConnection: one tunnel described by JSON strings, or a list of two.

use causeway_dialect::{EncodeContext, Failure};
use causeway_model::{ConnectionId, Initiation, Kind, Selection};
use causeway_ops::operation::{CreateConnection, FacetTest, NewTunnel};
use causeway_ops::{Operation, Outcome};
use ipnet::IpNet;
use serde_json::{Value, json};

use crate::action::{Action, Input};
use crate::catalog::TEXT_BYTES_MAX;
use crate::errors::NO_CERTIFICATES;
use crate::facet::{self, ConnectionFacet, GatewayFacet, NATIONAL_STANDARD};
use crate::params::{Fields, illegal};
use crate::tags::Codes;
use crate::{cidr, health_check, labels, selects, tunnel_forms, tunnel_options};

pub const ACTION: Action = Action { service: "vpc", name: "CreateVpnConnection", decode, encode };

/// Ranges of a side at most, whatever the version of IKE. With IKEv1 the cloud recommends one a side (FAQ "Enable
/// communication among CIDR blocks", read 2026-11-21: an IPsec connection with IKEv1 has one local and one remote
/// range). Creation takes several all the same: ikev1 is the default and the page's own examples of both parameters
/// have two ranges, `IkeVersion` says only that IKEv2 "provides better support", and this action's table of errors
/// has no code for it. `ModifyIkeV1WithMultiRoutes.Invalid` stands in the table of ModifyVpnConnectionAttribute alone.
/// Each pair of ranges then has a CHILD_SA of its own, so that all of them carry.
const RANGES_MAX: usize = 5;
fn ranges(fields: &Fields<'_>, name: &str) -> Result<Vec<IpNet>, Failure> {
    let text = fields.required(name)?;
    cidr::list(&text, RANGES_MAX).ok_or_else(|| {
        let message = format!("The specified \"{name}\" ({text}) is invalid.");
        Failure::new(400, format!("IllegalParam.{name}"), message)
    })
}

/// Everything on both sides, or BGP: routes choose. Else the ranges do, every one with every other.
fn selection(local: &[IpNet], remote: &[IpNet], tunnels: &[NewTunnel]) -> Selection {
    if tunnels.iter().any(|tunnel| tunnel.bgp.is_some()) {
        return Selection::Bgp;
    }
    if local.iter().any(cidr::is_everything) && remote.iter().any(cidr::is_everything) {
        return Selection::Routes;
    }
    Selection::Ranges
}

fn certificates(fields: &Fields<'_>, has_list: bool) -> Result<Vec<String>, Failure> {
    const NAME: &str = "RemoteCaCertificate";
    let of = |fields: &Fields<'_>| match fields.text(NAME).unwrap_or_default() {
        text if text.len() > TEXT_BYTES_MAX => Err(illegal(NAME)),
        text => Ok(text),
    };
    if has_list { tunnel_options::by_role(fields)?.iter().map(of).collect() } else { Ok(vec![of(fields)?]) }
}

/// Gateways of the national standard take its algorithms only, and the others none of them. The former take
/// connections once certificates are associated with them; no action here does that yet. The error is the option
/// that does not suit the gateway, or [`NO_CERTIFICATES`].
fn suits(gateway: &str, algorithms: &[(&'static str, String)]) -> Result<(), &'static str> {
    let is_national = facet::parse::<GatewayFacet>(gateway).vpn_type == NATIONAL_STANDARD;
    let is_of_standard = |word: &str| matches!(word, "sm3" | "sm4");
    match algorithms.iter().find(|(_, word)| is_of_standard(word) != is_national) {
        Some((option, _)) => Err(option),
        None if is_national => Err(NO_CERTIFICATES),
        None => Ok(()),
    }
}

fn decode(input: &Input<'_>) -> Result<Operation, Failure> {
    let fields = &input.fields;
    let name = Failure::new(
        400,
        "InvalidParameter.VpnConnectionName",
        "The specified vpn connection name is invalid.",
    );
    let name = labels::plain_name(fields, name)?.unwrap_or_default();
    let (local, remote) = (ranges(fields, "LocalSubnet")?, ranges(fields, "RemoteSubnet")?);
    let at_once = fields.boolean("EffectImmediately")?.unwrap_or(false);
    let initiation = if at_once { Initiation::AtOnce } else { Initiation::OnTraffic };
    let tunnels_bgp = fields.boolean("EnableTunnelsBgp")?.unwrap_or(false);
    let has_tunnel_list = fields.value("TunnelOptionsSpecification").is_some();
    tunnel_options::check_settings(fields, input.region)?;
    let tunnels = if has_tunnel_list {
        tunnel_forms::check_list_alone(fields)?;
        tunnel_options::list(fields, tunnels_bgp, initiation)?
    } else {
        vec![tunnel_options::single(fields, initiation)?]
    };
    let certificates = certificates(fields, has_tunnel_list)?;
    let ike_modes = tunnel_options::ike_modes(fields, has_tunnel_list)?;
    let algorithms = tunnel_options::named_algorithms(fields);
    let (health_check, idle_check) = if has_tunnel_list { (None, None) } else { health_check::read(fields)? };
    let idle_bgp = if has_tunnel_list { None } else { tunnel_options::idle_bgp(fields)? };
    let facet =
        ConnectionFacet { has_tunnel_list, tunnels_bgp, ike_modes, certificates, idle_check, idle_bgp };
    let operation = CreateConnection {
        label: labels::label(fields, name, String::new(), Codes::Vpn, facet::write(&facet))?,
        gateway: fields.required_id("VpnGatewayId")?,
        network: None,
        gateway_facet: Some(FacetTest::new(move |gateway| suits(gateway, &algorithms))),
        selection: selection(&local, &remote, &tunnels),
        local_subnets: local,
        remote_subnets: remote,
        tunnels,
        tunnels_have_ids: has_tunnel_list,
        health_check,
        initiation,
        auto_routes: fields.boolean("AutoConfigRoute")?.unwrap_or(true),
    };
    Ok(Operation::CreateConnection(operation))
}

fn encode(outcome: &Outcome, context: &EncodeContext<'_>) -> Value {
    let key = selects::subject(outcome).filter(|key| key.kind == Kind::Connection);
    let Some(it) = key.and_then(|key| context.view.connection(ConnectionId(key.id))) else {
        return json!({});
    };
    json!({"VpnConnectionId": it.meta.external, "Name": it.meta.name, "CreateTime": it.meta.created.0})
}

#[cfg(test)]
#[path = "create_vpn_connection_tests.rs"]
mod tests;
