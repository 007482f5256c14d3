//! What the connections of one gateway agree on, where the API says so: one number of BGP on the gateway's side,
//! and, towards the same customer gateway, one key and one set of IKE options.

use std::net::IpAddr;

use causeway_model::{Connection, CustomerGateway, Gateway, Placement, Secret, Tunnel};
use ipnet::IpNet;

use crate::apart::is_everything;
use crate::context::Context;
use crate::operation::{CreateConnection, NewTunnel, NewTunnelBgp};
use crate::subnets::overlap;
use crate::{Conflict, OpError};

/// A tunnel asked for, its customer gateway, and the gateway's instance that is to carry it.
type Asked<'a> = (&'a NewTunnel, &'a CustomerGateway, &'a Placement);

/// Refuses what does not agree. Nothing is checked where the API does not ask for it.
pub(crate) fn check(
    context: &Context<'_>,
    gateway: &Gateway,
    peers: &[std::sync::Arc<CustomerGateway>],
    it: &CreateConnection,
) -> Result<(), OpError> {
    if !context.caller.rules.connections_agree {
        return Ok(());
    }
    for peer in peers {
        check_address(gateway, peer.ip, it)?;
    }
    check_own_links(gateway, it)?;
    for other in context.connections_of(gateway) {
        check_bgp(gateway, it, other)?;
        let asked = it.tunnels.iter().zip(peers).zip(&gateway.instances);
        for (((new, peer), instance), theirs) in asked.zip(&other.tunnels) {
            if theirs.customer_gateway == peer.id {
                check_same_peer((new, peer, instance), theirs, it, other)?;
            }
        }
    }
    Ok(())
}

/// The key that the gateway's instance `ordinal` has for a customer gateway already, where connections agree: one
/// that is made by the service must be the same.
pub(crate) fn known_key(
    context: &Context<'_>,
    gateway: &Gateway,
    ordinal: usize,
    peer: &CustomerGateway,
) -> Option<Secret> {
    if !context.caller.rules.connections_agree {
        return None;
    }
    context
        .connections_of(gateway)
        .filter_map(|other| other.tunnels.get(ordinal))
        .find(|tunnel| tunnel.customer_gateway == peer.id)
        .map(|tunnel| tunnel.psk.clone())
}

/// A device has neither the gateway's address nor one that is reached through itself.
fn check_address(gateway: &Gateway, ip: IpAddr, it: &CreateConnection) -> Result<(), OpError> {
    if gateway.instances.iter().any(|instance| instance.public_ip == ip) {
        return Err(OpError::Conflict(Conflict::PeerIsGateway(ip)));
    }
    let mut remotes = it.remote_subnets.iter().filter(|range| !is_everything(range));
    match remotes.find(|range| range.contains(&ip)) {
        Some(range) => Err(OpError::Conflict(Conflict::PeerBehindItself { ip, range: *range })),
        None => Ok(()),
    }
}

/// The gateway's number that a tunnel is to use.
fn local_asn(gateway: &Gateway, bgp: &NewTunnelBgp) -> u32 {
    if bgp.local_asn == 0 { gateway.asn.unwrap_or_default() } else { bgp.local_asn }
}

fn links(it: &CreateConnection) -> impl Iterator<Item = &NewTunnelBgp> {
    it.tunnels.iter().filter_map(|tunnel| tunnel.bgp.as_ref())
}

/// The tunnels of one connection have different links, and the same number.
fn check_own_links(gateway: &Gateway, it: &CreateConnection) -> Result<(), OpError> {
    for (ordinal, first) in links(it).enumerate() {
        for second in links(it).skip(ordinal + 1) {
            if overlap(&first.tunnel_cidr, &second.tunnel_cidr) {
                let (link, other) = (second.tunnel_cidr, first.tunnel_cidr);
                return Err(OpError::Conflict(Conflict::Link { link, other }));
            }
            check_number(local_asn(gateway, second), local_asn(gateway, first))?;
        }
    }
    Ok(())
}

fn check_number(asn: u32, other: u32) -> Result<(), OpError> {
    if asn == other { Ok(()) } else { Err(OpError::Conflict(Conflict::OtherLocalAsn { asn, other })) }
}

/// Once one connection speaks BGP all do, each on links of its own, with the same number of the gateway.
fn check_bgp(gateway: &Gateway, it: &CreateConnection, other: &Connection) -> Result<(), OpError> {
    for theirs in other.tunnels.iter().filter_map(|tunnel| tunnel.bgp.as_ref()) {
        if links(it).next().is_none() {
            return Err(OpError::Conflict(Conflict::NeedsBgp));
        }
        for mine in links(it) {
            if overlap(&mine.tunnel_cidr, &theirs.tunnel_cidr) {
                let (link, other) = (mine.tunnel_cidr, theirs.tunnel_cidr);
                return Err(OpError::Conflict(Conflict::Link { link, other }));
            }
            check_number(local_asn(gateway, mine), theirs.local_asn)?;
        }
    }
    Ok(())
}

/// Between the same two addresses there is one key and one set of IKE options, and traffic must show by its
/// addresses which connection it belongs to.
fn check_same_peer(
    asked: Asked<'_>,
    theirs: &Tunnel,
    it: &CreateConnection,
    other: &Connection,
) -> Result<(), OpError> {
    if !has_same_options(asked, theirs) {
        return Err(OpError::Conflict(Conflict::PeerOptions(other.meta.external.clone())));
    }
    if meet(&it.local_subnets, &other.local_subnets) && meet(&it.remote_subnets, &other.remote_subnets) {
        return Err(OpError::Conflict(Conflict::PeerRanges(other.meta.external.clone())));
    }
    Ok(())
}

fn meet(mine: &[IpNet], theirs: &[IpNet]) -> bool {
    mine.iter().any(|mine| theirs.iter().any(|theirs| overlap(mine, theirs)))
}

/// A key that is left out becomes the known one, see [`known_key`].
fn has_same_options((new, peer, instance): Asked<'_>, theirs: &Tunnel) -> bool {
    let local_id = new.local_id.clone().unwrap_or_else(|| instance.public_ip.to_string());
    let remote_id = new.remote_id.clone().unwrap_or_else(|| peer.ip.to_string());
    new.psk.as_ref().is_none_or(|psk| *psk == theirs.psk)
        && new.ike == theirs.ike
        && local_id == theirs.local_id
        && remote_id == theirs.remote_id
}

#[cfg(test)]
#[path = "agree_tests.rs"]
mod tests;
