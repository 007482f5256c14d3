//! CreateVpnConnection: an IPsec tunnel; it is `PENDING` until the gateway carries it. The request's id is the id
//! of the task.

use causeway_dialect::EncodeContext;
use causeway_model::{ConnectionId, Initiation, Kind, Secret};
use causeway_ops::operation::{CreateConnection, Label, NewTunnel};
use causeway_ops::{Lack, Operation, Outcome};

use crate::action::{self, Action, Answer, Input};
use crate::connection::{health, ike, ipsec, selection};
use crate::errors;
use crate::facet::{self, ConnectionFacet};
use crate::params::{MALFORMED, Members};
use crate::refusal::Refusal;
use crate::shapes::connection::connection;

/// See the module.
pub const ACTION: Action = Action { service: "vpc", name: "CreateVpnConnection", decode, encode };

const NAME_CHARS_MAX: usize = 60;
/// The longest pre-shared key (unverified; the console's limit).
const PSK_CHARS_MAX: usize = 128;

fn decode(input: &Input<'_>) -> Result<Operation, Refusal> {
    let members = input.members();
    let gateway = members.required_id("VpnGatewayId", Kind::Gateway, MALFORMED)?;
    let customer_gateway = members.required_id("CustomerGatewayId", Kind::CustomerGateway, MALFORMED)?;
    let name = members.name_chars("VpnConnectionName", NAME_CHARS_MAX)?;
    let psk = pre_shared_key(&members)?;
    let network = members.id("VpcId", Kind::Network, MALFORMED)?;
    let ike = ike::read(&members)?;
    let ipsec = ipsec::read(&members)?;
    let chosen = selection::read(&members)?;
    let health = health::read(input, &members)?;
    if health.is_on && !chosen.takes_everything() {
        return Err(health_needs_everything());
    }
    let dpd = health::read_dpd(&members)?;
    if dpd.is_on && input.lacks(Lack::Dpd) {
        return Err(errors::lacking(Lack::Dpd));
    }
    let (negotiation, initiation) = negotiation(&members)?;
    let own = ConnectionFacet {
        route_type: chosen.route_type.to_owned(),
        negotiation_type: negotiation.to_owned(),
        dpd_enable: dpd.is_on,
        dpd_timeout: dpd.timeout,
        dpd_action: dpd.action.to_owned(),
        exchange_mode: ike.exchange_mode.to_owned(),
        local_identity: ike.local_identity.to_owned(),
        remote_identity: ike.remote_identity.to_owned(),
        health_check: health.is_on,
        health_local_ip: health.local_ip,
        health_remote_ip: health.remote_ip,
        probe_interval_ms: health.interval_ms,
        probe_threshold: health.threshold,
        probe_timeout_ms: health.timeout_ms,
        lifetime_traffic_kb: ipsec.lifetime_traffic_kb,
        idle_policies: chosen.idle_policies,
        task: input.context.request_id.to_owned(),
    };
    let tunnel = NewTunnel {
        customer_gateway,
        psk: Some(psk),
        local_id: ike.local_id,
        remote_id: ike.remote_id,
        ike: ike.proposal,
        esp: ipsec.proposal,
        dpd: dpd.dpd,
        nat_traversal: true,
        bgp: chosen.bgp,
    };
    let label = Label { name, tags: members.tags()?, facet: facet::write(&own), ..Label::default() };
    let operation = Operation::CreateConnection(CreateConnection {
        label,
        gateway,
        network,
        gateway_facet: None,
        selection: chosen.selection,
        local_subnets: chosen.local,
        remote_subnets: chosen.remote,
        tunnels: vec![tunnel],
        tunnels_have_ids: false,
        health_check: health.check,
        initiation,
        // The owner adds routes to the gateway by CreateRoutes.
        auto_routes: false,
    });
    Ok(operation)
}

/// `NegotiationType` as given, and what it means.
fn negotiation(members: &Members<'_>) -> Result<(&'static str, Initiation), Refusal> {
    let words = ["active", "passive", "flowTrigger"];
    let word = members.word("NegotiationType", &words)?.unwrap_or("active");
    let initiation = match word {
        "passive" => Initiation::ByPeer,
        "flowTrigger" => Initiation::OnTraffic,
        _ => Initiation::AtOnce,
    };
    Ok((word, initiation))
}

/// The key. Nothing documents a pattern; what can't stand in a device's configuration is refused.
fn pre_shared_key(members: &Members<'_>) -> Result<Secret, Refusal> {
    let text = members.required("PreShareKey")?;
    if text.chars().count() > PSK_CHARS_MAX {
        return Err(Refusal::too_long("PreShareKey", PSK_CHARS_MAX));
    }
    if text.chars().any(char::is_control) {
        // Without the value: it is a secret.
        return Err(Refusal::malformed(MALFORMED, "PreShareKey", "***"));
    }
    Ok(Secret::new(text))
}

fn health_needs_everything() -> Refusal {
    Refusal::new(
        "UnsupportedOperation.VpnConnCidrNotSupportedHealthCheck",
        "Health checks need security policies of 0.0.0.0/0 on both sides.",
        "SPD策略不为0.0.0.0/0的VPN通道不支持健康检查。",
    )
}

fn encode(outcome: &Outcome, context: &EncodeContext<'_>) -> Result<Answer, Refusal> {
    let made = action::created(outcome).and_then(|key| context.view.connection(ConnectionId(key.id)));
    let made = made.ok_or_else(action::lost)?;
    Ok(action::one("VpnConnection", connection(context.view, made)))
}

#[cfg(test)]
#[path = "create_vpn_connection_tests.rs"]
pub mod tests;
