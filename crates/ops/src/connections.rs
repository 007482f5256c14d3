//! Connections: create and delete.

use std::net::IpAddr;

use causeway_model::{
    Connection, ConnectionId, ConnectionState, ConnectionStatus, CustomerGateway, Gateway, Kind, NextHop,
    Record, Route, RouteId, Secret, Selection, Tunnel, TunnelBgp, limits,
};

use crate::context::{Context, check_parent};
use crate::operation::{CreateConnection, Label, NewTunnel, NewTunnelBgp, Target};
use crate::{Decision, Lack, OpError, Outcome, Quota, agree, apart};

pub(crate) fn create(mut context: Context<'_>, it: &CreateConnection) -> Result<Decision, OpError> {
    let gateway = context.gateway(&it.gateway)?;
    if let Some(network) = gateway.network {
        check_parent(context.view, Kind::Gateway, &it.gateway, network, it.network.as_ref())?;
    }
    // What is not there is told before what state the rest is in.
    let peers = it
        .tunnels
        .iter()
        .map(|tunnel| context.customer_gateway(&tunnel.customer_gateway))
        .collect::<Result<Vec<_>, _>>()?;
    if !gateway.features.ipsec {
        return Err(OpError::IpsecDisabled(it.gateway.clone()));
    }
    if it.tunnels.iter().any(|tunnel| tunnel.bgp.is_some()) {
        context.check_has(Lack::Bgp)?;
    }
    let unsuited = it.gateway_facet.as_ref().and_then(|test| (test.0)(&gateway.meta.facet).err());
    if let Some(why) = unsuited {
        return Err(OpError::GatewayUnsuited { id: it.gateway.clone(), why });
    }
    context.check_unlocked(&gateway)?;
    context.check_changeable(&gateway)?;
    if it.tunnels.len() != gateway.instances.len() {
        return Err(OpError::TunnelCount { expected: gateway.instances.len() });
    }
    check_quotas(&context, &gateway, &peers)?;
    check_policy_routes(&context, &gateway, it)?;
    check_duplicate(&context, &gateway, &peers, it)?;
    apart::check(&context, &gateway, &peers, it)?;
    agree::check(&context, &gateway, &peers, it)?;
    let id = ConnectionId(context.fresh_id(Kind::Connection)?);
    let mut meta = context.fresh_meta(Kind::Connection, &it.label)?;
    if context.caller.rules.has_resource_groups {
        meta.resource_group = gateway.meta.resource_group.clone();
    }
    let mut tunnels = Vec::new();
    let asked = it.tunnels.iter().zip(&peers).zip(&gateway.instances);
    for (ordinal, ((new, peer), instance)) in asked.enumerate() {
        let psk = new.psk.clone().or_else(|| agree::known_key(&context, &gateway, ordinal, peer));
        let own = (instance.public_ip, gateway.asn);
        tunnels.push(tunnel(&mut context, it.tunnels_have_ids, new, (peer, psk), own)?);
    }
    if it.auto_routes {
        add_routes(&mut context, &gateway, id, it)?;
    }
    context.put(Connection {
        id,
        meta,
        gateway: gateway.id,
        selection: it.selection.clone(),
        local_subnets: it.local_subnets.clone(),
        remote_subnets: it.remote_subnets.clone(),
        tunnels,
        health_check: it.health_check.clone(),
        initiation: it.initiation,
        status: ConnectionStatus::default(),
    });
    context.touch(&gateway);
    Ok(context.decided(Outcome::Created(vec![id.key()])))
}

fn check_quotas(
    context: &Context<'_>,
    gateway: &Gateway,
    peers: &[std::sync::Arc<CustomerGateway>],
) -> Result<(), OpError> {
    let of_gateway: Vec<&Record> = context.view.children(gateway.id, Kind::Connection).collect();
    context.check_quota(Quota::ConnectionsPerGateway, of_gateway.len(), 1)?;
    for peer in peers {
        let of_peer = context.view.children(peer.id, Kind::Connection).count();
        context.check_quota(Quota::ConnectionsPerCustomerGateway, of_peer, 1)?;
        let of_pair = of_gateway.iter().filter(|record| record.parents().contains(&peer.id.key())).count();
        context.check_quota(Quota::ConnectionsPerPair, of_pair, 1)?;
    }
    Ok(())
}

/// Each pair of ranges that the service routes takes one of the gateway's policy routes.
fn check_policy_routes(
    context: &Context<'_>,
    gateway: &Gateway,
    it: &CreateConnection,
) -> Result<(), OpError> {
    let pairs = |selection: &Selection, local: &[ipnet::IpNet], remote: &[ipnet::IpNet]| match selection {
        Selection::Policies(policies) => policies.iter().map(|policy| policy.remotes.len()).sum(),
        Selection::Ranges => local.len() * remote.len(),
        Selection::Routes | Selection::Bgp => 0_usize,
    };
    let wanted = pairs(&it.selection, &it.local_subnets, &it.remote_subnets);
    if !it.auto_routes || wanted == 0 {
        return Ok(());
    }
    let is_routed = |other: &&Connection| context.view.children(other.id, Kind::Route).next().is_some();
    let routed = context.connections_of(gateway).filter(is_routed);
    let present =
        routed.map(|other| pairs(&other.selection, &other.local_subnets, &other.remote_subnets)).sum();
    context.check_quota(Quota::PolicyRoutesPerGateway, present, wanted)
}

/// Two connections with the same ends and the same ranges could not be told apart by either end.
fn check_duplicate(
    context: &Context<'_>,
    gateway: &Gateway,
    peers: &[std::sync::Arc<CustomerGateway>],
    it: &CreateConnection,
) -> Result<(), OpError> {
    let is_twin = |other: &&Connection| {
        let mut ends = other.tunnels.iter().zip(peers);
        other.local_subnets == it.local_subnets
            && other.remote_subnets == it.remote_subnets
            && ends.any(|(tunnel, peer)| tunnel.customer_gateway == peer.id)
    };
    match context.connections_of(gateway).find(is_twin) {
        Some(twin) => Err(OpError::DuplicateConnection(twin.meta.external.clone())),
        None => Ok(()),
    }
}

fn tunnel(
    context: &mut Context<'_>,
    has_id: bool,
    new: &NewTunnel,
    (peer, psk): (&CustomerGateway, Option<Secret>),
    (public_ip, asn): (IpAddr, Option<u32>),
) -> Result<Tunnel, OpError> {
    let external = has_id.then(|| {
        let random = context.random();
        (context.caller.rules.mint_tunnel)(&context.caller.region, random)
    });
    let bgp = new.bgp.as_ref().map(|bgp| tunnel_bgp(bgp, asn, peer)).transpose()?;
    let psk = psk.unwrap_or_else(|| random_psk(context));
    Ok(Tunnel {
        external,
        customer_gateway: peer.id,
        psk,
        local_id: new.local_id.clone().unwrap_or_else(|| public_ip.to_string()),
        remote_id: new.remote_id.clone().unwrap_or_else(|| peer.ip.to_string()),
        ike: new.ike.clone(),
        esp: new.esp.clone(),
        dpd: new.dpd,
        nat_traversal: new.nat_traversal,
        bgp,
    })
}

fn tunnel_bgp(bgp: &NewTunnelBgp, asn: Option<u32>, peer: &CustomerGateway) -> Result<TunnelBgp, OpError> {
    let peer_asn = peer.asn.ok_or_else(|| OpError::CustomerGatewayWithoutAsn(peer.meta.external.clone()))?;
    let mut others = bgp.tunnel_cidr.hosts().filter(|ip| *ip != bgp.local_ip);
    Ok(TunnelBgp {
        tunnel_cidr: bgp.tunnel_cidr,
        local_ip: bgp.local_ip,
        peer_ip: others.next().unwrap_or(bgp.local_ip),
        local_asn: if bgp.local_asn == 0 { asn.unwrap_or_default() } else { bgp.local_asn },
        peer_asn,
    })
}

fn random_psk(context: &mut Context<'_>) -> Secret {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let text: String = (0..limits::PSK_CHARS)
        .map(|_| ALPHABET[(context.random() % ALPHABET.len() as u64) as usize] as char)
        .collect();
    Secret::new(text)
}

/// Routes to the remote ranges in the network's main table. A range that is routed already, and the range of
/// everything, are left to the owner; one inside the network's own subnets is refused, as [`routes`](crate::routes)
/// refuses it: it would take a subnet's hosts away.
fn add_routes(
    context: &mut Context<'_>,
    gateway: &Gateway,
    connection: ConnectionId,
    it: &CreateConnection,
) -> Result<(), OpError> {
    let Some(network) = gateway.network.and_then(|id| context.view.network(id)).cloned() else {
        return Ok(());
    };
    let mut routed: Vec<ipnet::IpNet> = Vec::new();
    let mut own: Vec<ipnet::IpNet> = Vec::new();
    for record in context.view.children(network.main_table, Kind::Route) {
        let Record::Route(route) = record else { continue };
        let list = if route.system { &mut own } else { &mut routed };
        list.push(route.destination);
    }
    for &destination in it.remote_subnets.iter().filter(|range| range.prefix_len() > 0) {
        if own.iter().any(|subnet| subnet.contains(&destination)) {
            return Err(OpError::RouteConflictsWithSubnet(destination));
        }
        if routed.contains(&destination) {
            continue;
        }
        routed.push(destination);
        let id = RouteId(context.fresh_id(Kind::Route)?);
        let meta = context.fresh_meta(Kind::Route, &Label::default())?;
        context.put(Route {
            id,
            meta,
            table: network.main_table,
            network: network.id,
            destination,
            next_hop: NextHop::Gateway(gateway.id),
            enabled: true,
            system: false,
            connection: Some(connection),
        });
    }
    Ok(())
}

pub(crate) fn delete(mut context: Context<'_>, it: &Target) -> Result<Decision, OpError> {
    let connection = context.connection(&it.id)?;
    check_parent(context.view, Kind::Connection, &it.id, connection.gateway, it.parent.as_ref())?;
    if connection.state() == ConnectionState::Deleting {
        return Err(OpError::BeingDeleted { kind: Kind::Connection, id: it.id.clone() });
    }
    let gateway = context.view.gateway(connection.gateway).cloned();
    if let Some(gateway) = &gateway {
        context.check_unlocked(gateway)?;
        context.check_removable(gateway)?;
    }
    for record in context.view.children(connection.id, Kind::Route) {
        context.delete(record.key());
    }
    let mut gone = (*connection).clone();
    gone.meta.deleting = true;
    gone.meta.generation += 1;
    context.put(gone);
    if let Some(gateway) = &gateway {
        context.touch(gateway);
    }
    Ok(context.decided(Outcome::Done))
}
