//! What keeps the connections of one gateway apart, where the API says so: ranges, links and numbers of BGP, and
//! addresses of probes.

use std::net::IpAddr;

use causeway_model::{Connection, CustomerGateway, ExternalId, Gateway, Policy, Selection};
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
    /// The probes of another connection use the address, or it belongs to the gateway's network.
    #[error("the probe address {0} is in use")]
    ProbeAddress(IpAddr),
    /// The gateway speaks BGP already, and the connection does not.
    #[error("the gateway's connections use BGP")]
    NeedsBgp,
    /// The gateway has another number in its BGP sessions.
    #[error("the gateway uses the autonomous system number {other}, not {asn}")]
    OtherLocalAsn {
        /// The number asked for.
        asn: u32,
        /// The number in use.
        other: u32,
    },
    /// The customer gateway has the gateway's own address.
    #[error("the customer gateway has the gateway's address {0}")]
    PeerIsGateway(IpAddr),
    /// The customer gateway's address is inside the ranges that are reached through it.
    #[error("the customer gateway {ip} is inside the remote range {range}")]
    PeerBehindItself {
        /// The customer gateway's address.
        ip: IpAddr,
        /// The range behind it.
        range: IpNet,
    },
    /// Another connection of the same two gateways has another key or other IKE options.
    #[error("connection {0} of the same gateways has other IKE options")]
    PeerOptions(ExternalId),
    /// Another connection of the same two gateways has ranges that overlap on both sides.
    #[error("connection {0} of the same gateways has overlapping ranges")]
    PeerRanges(ExternalId),
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
    check_network(context, gateway, it)?;
    check_bgp(context, gateway, peers, it)?;
    for other in context.connections_of(gateway) {
        check_policies(&it.selection, &other.selection)?;
        check_other_bgp(peers, it, other)?;
        check_probes(it, other)?;
    }
    Ok(())
}

/// Remote ranges and the source of probes are outside the gateway's network.
fn check_network(context: &Context<'_>, gateway: &Gateway, it: &CreateConnection) -> Result<(), OpError> {
    let Some(network) = gateway.network.and_then(|id| context.view.network(id)) else { return Ok(()) };
    let own = || std::iter::once(&network.cidr).chain(&network.secondary_cidrs);
    if let Some(probes) = &it.health_check
        && own().any(|own| own.contains(&probes.source))
    {
        return Err(OpError::Conflict(Conflict::ProbeAddress(probes.source)));
    }
    let Selection::Policies(policies) = &it.selection else { return Ok(()) };
    for remote in policies.iter().flat_map(|policy| &policy.remotes) {
        if !is_everything(remote) && own().any(|own| overlap(own, remote)) {
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
pub(crate) fn is_everything(range: &IpNet) -> bool {
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
