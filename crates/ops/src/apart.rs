//! What keeps the connections of one gateway apart, where the API says so: ranges, links and numbers of BGP, and
//! addresses of probes.

use std::net::IpAddr;

use causeway_model::{Connection, CustomerGateway, Gateway, Kind, Policy, Record, Selection};
use ipnet::IpNet;

use crate::OpError;
use crate::context::Context;
use crate::operation::CreateConnection;
use crate::subnets::overlap;

/// Why a connection can't be on a gateway beside the others.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Conflict {
    /// The gateway's bandwidth is too small for BGP.
    #[error("BGP needs a gateway of {min_mbps} Mbit/s")]
    BandwidthForBgp {
        /// The smallest that will do.
        min_mbps: u32,
    },
    /// One connection with BGP and one without.
    #[error("the gateway has connections with BGP and without")]
    MixedWithBgp,
    /// The customer's number is the gateway's, or another customer's.
    #[error("the autonomous system number {0} is in use")]
    SameAsn(u32),
    /// The range of the BGP link overlaps another link's.
    #[error("the link {link} overlaps {other}")]
    Link {
        /// The range asked for.
        link: IpNet,
        /// The range that is there.
        other: IpNet,
    },
    /// The probes of another connection use the address.
    #[error("the probe address {0} is in use")]
    ProbeAddress(IpAddr),
}

/// Refuses what is not apart. Nothing is checked where the API does not ask for it.
pub(crate) fn check(
    context: &Context<'_>,
    gateway: &Gateway,
    peers: &[std::sync::Arc<CustomerGateway>],
    it: &CreateConnection,
) -> Result<(), OpError> {
    if !context.caller.rules.connections_are_apart {
        return Ok(());
    }
    check_network(context, gateway, &it.selection)?;
    check_bgp(context, gateway, peers, it)?;
    for record in context.view.children(gateway.id, Kind::Connection) {
        let Record::Connection(other) = record else { continue };
        check_policies(&it.selection, &other.selection)?;
        check_other_bgp(peers, it, other)?;
        check_probes(it, other)?;
    }
    Ok(())
}

/// Remote ranges are outside the gateway's network.
fn check_network(context: &Context<'_>, gateway: &Gateway, selection: &Selection) -> Result<(), OpError> {
    let Selection::Policies(policies) = selection else { return Ok(()) };
    let Some(network) = gateway.network.and_then(|id| context.view.network(id)) else { return Ok(()) };
    for remote in policies.iter().flat_map(|policy| &policy.remotes) {
        let mut own = std::iter::once(&network.cidr).chain(&network.secondary_cidrs);
        if !is_everything(remote) && own.any(|own| overlap(own, remote)) {
            return Err(OpError::RouteConflictsWithSubnet(*remote));
        }
    }
    Ok(())
}

/// No two policies of a gateway share pairs of addresses: it could not tell whose traffic it is.
fn check_policies(mine: &Selection, theirs: &Selection) -> Result<(), OpError> {
    let (Selection::Policies(mine), Selection::Policies(theirs)) = (mine, theirs) else { return Ok(()) };
    for mine in mine {
        for theirs in theirs {
            check_pair(mine, theirs)?;
        }
    }
    Ok(())
}

fn check_pair(mine: &Policy, theirs: &Policy) -> Result<(), OpError> {
    if !overlap(&mine.local, &theirs.local) {
        return Ok(());
    }
    for remote in &mine.remotes {
        for other in &theirs.remotes {
            if !is_everything(remote) && !is_everything(other) && overlap(remote, other) {
                return Err(OpError::CidrOverlap { cidr: *remote, other: *other });
            }
        }
    }
    Ok(())
}

/// The range of everything stands for "by routes".
fn is_everything(range: &IpNet) -> bool {
    range.prefix_len() == 0
}

fn check_bgp(
    context: &Context<'_>,
    gateway: &Gateway,
    peers: &[std::sync::Arc<CustomerGateway>],
    it: &CreateConnection,
) -> Result<(), OpError> {
    if it.selection != Selection::Bgp {
        return Ok(());
    }
    let min_mbps = context.caller.rules.bgp_mbps_min;
    if gateway.bandwidth_mbps < min_mbps {
        return Err(OpError::Conflict(Conflict::BandwidthForBgp { min_mbps }));
    }
    match peers.iter().find_map(|peer| peer.asn.filter(|_| peer.asn == gateway.asn)) {
        Some(asn) => Err(OpError::Conflict(Conflict::SameAsn(asn))),
        None => Ok(()),
    }
}

fn check_other_bgp(
    peers: &[std::sync::Arc<CustomerGateway>],
    it: &CreateConnection,
    other: &Connection,
) -> Result<(), OpError> {
    let has_bgp = it.selection == Selection::Bgp;
    if has_bgp != (other.selection == Selection::Bgp) {
        return Err(OpError::Conflict(Conflict::MixedWithBgp));
    }
    for theirs in other.tunnels.iter().filter_map(|tunnel| tunnel.bgp.as_ref()) {
        if has_bgp && peers.iter().any(|peer| peer.asn == Some(theirs.peer_asn)) {
            return Err(OpError::Conflict(Conflict::SameAsn(theirs.peer_asn)));
        }
        for mine in it.tunnels.iter().filter_map(|tunnel| tunnel.bgp.as_ref()) {
            if overlap(&mine.tunnel_cidr, &theirs.tunnel_cidr) {
                let (link, other) = (mine.tunnel_cidr, theirs.tunnel_cidr);
                return Err(OpError::Conflict(Conflict::Link { link, other }));
            }
        }
    }
    Ok(())
}

fn check_probes(it: &CreateConnection, other: &Connection) -> Result<(), OpError> {
    let (Some(mine), Some(theirs)) = (&it.health_check, &other.health_check) else { return Ok(()) };
    let taken = [theirs.source, theirs.destination];
    match [mine.source, mine.destination].into_iter().find(|ip| taken.contains(ip)) {
        Some(ip) => Err(OpError::Conflict(Conflict::ProbeAddress(ip))),
        None => Ok(()),
    }
}
