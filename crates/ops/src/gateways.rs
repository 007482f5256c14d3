//! Gateways: create, modify and delete.

use std::net::IpAddr;
use std::sync::Arc;

use causeway_model::{
    Charge, ExternalId, Gateway, GatewayId, GatewayState, GatewayStatus, Kind, Network, Order, OrderId,
    Placement, Record, Subnet,
};

use crate::addresses;
use crate::context::Context;
use crate::operation::{CreateGateway, Label, ModifyGateway, Target};
use crate::{Decision, OpError, Outcome, Quota};

pub(crate) fn create(mut context: Context<'_>, it: &CreateGateway) -> Result<Decision, OpError> {
    let network = it.network.as_ref().map(|id| context.network(id)).transpose()?;
    if let (Some(network), Some(id)) = (&network, &it.network)
        && network.meta.deleting
    {
        return Err(OpError::NotFound { kind: Kind::Network, id: id.clone() });
    }
    context.check_quota(Quota::GatewaysPerRegion, context.count(Kind::Gateway), 1)?;
    if let Some(network) = &network {
        let present = context.view.children_count(network.id, Kind::Gateway);
        context.check_quota(Quota::GatewaysPerNetwork, present, 1)?;
    }
    let instances = place(&context, network.as_deref(), it)?;
    let paid = it.charge == Charge::PostPaid || it.pay_now;
    check_funds(&context, paid)?;
    let id = GatewayId(context.fresh_id(Kind::Gateway)?);
    let mut meta = context.fresh_meta(Kind::Gateway, &it.label)?;
    if meta.name.is_empty() && context.caller.rules.gateway_name_defaults_to_id {
        meta.name = meta.external.to_string();
    }
    let order = OrderId(context.fresh_id(Kind::Order)?);
    let order_meta = context.fresh_meta(Kind::Order, &Label::default())?;
    context.put(Order { id: order, meta: order_meta, subject: id.key(), paid });
    context.put(Gateway {
        id,
        meta,
        network: network.map(|network| network.id),
        bandwidth_mbps: it.bandwidth_mbps,
        features: it.features,
        charge: it.charge,
        exposure: it.exposure,
        asn: it.asn,
        propagate: false,
        instances,
        order,
        paid,
        status: GatewayStatus::default(),
    });
    Ok(context.decided(Outcome::Created(vec![id.key()])))
}

/// Refuses to pay from an empty account.
pub(crate) fn check_funds(context: &Context<'_>, pays: bool) -> Result<(), OpError> {
    let account = context.caller.settings.accounts.get(&context.caller.account);
    match account {
        Some(account) if pays && !account.solvent => Err(OpError::InsufficientFunds),
        _ => Ok(()),
    }
}

/// Finds the places and addresses of a new gateway's instances.
fn place(
    context: &Context<'_>,
    network: Option<&Network>,
    it: &CreateGateway,
) -> Result<Vec<Placement>, OpError> {
    let mut places: Vec<Placement> = Vec::new();
    let subnets = match network {
        Some(network) => subnets(context, network, it)?,
        None => vec![None],
    };
    for (ordinal, subnet) in subnets.iter().enumerate() {
        let used: Vec<IpAddr> = places.iter().filter_map(|place| place.private_ip).collect();
        let private_ip = match (subnet, network) {
            (Some(subnet), _) => Some(
                addresses::free_in_subnet(context.view, subnet, &used)
                    .ok_or(OpError::NoFreeAddress { ordinal })?,
            ),
            (None, Some(network)) => Some(
                addresses::free_on_router_link(context.view, network)
                    .ok_or(OpError::NoFreeAddress { ordinal })?,
            ),
            (None, None) => None,
        };
        let publics: Vec<IpAddr> = places.iter().map(|place| place.public_ip).collect();
        let pools = &context.caller.settings.public_pools;
        let public_ip = addresses::free_public(context.view, pools, context.view.next_seq(), &publics)?;
        places.push(Placement { subnet: subnet.as_ref().map(|subnet| subnet.id), private_ip, public_ip });
    }
    Ok(places)
}

/// The subnet of each instance; `None` where it hangs on the network's router.
fn subnets(
    context: &Context<'_>,
    network: &Network,
    it: &CreateGateway,
) -> Result<Vec<Option<Arc<Subnet>>>, OpError> {
    let mut named = Vec::new();
    for id in &it.subnets {
        let subnet = context.subnet(id)?;
        if subnet.network != network.id || subnet.meta.deleting {
            let parent = network.meta.external.clone();
            return Err(OpError::WrongParent { kind: Kind::Subnet, id: id.clone(), parent });
        }
        named.push(subnet);
    }
    match named.as_slice() {
        [first, second] => check_pair(context, first, second)?,
        _ if it.dual => return Err(OpError::SecondSubnetRequired),
        _ => {}
    }
    if !named.is_empty() {
        return Ok(named.into_iter().map(Some).collect());
    }
    if !context.caller.rules.gateways_live_in_subnets {
        return Ok(vec![None]);
    }
    let mut others = context.view.children(network.id, Kind::Subnet).filter_map(|record| match record {
        Record::Subnet(subnet) if !subnet.meta.deleting => Some(subnet),
        _ => None,
    });
    let Some(first) = others.next() else { return Ok(vec![None]) };
    std::iter::once(first)
        .chain(others)
        .find(|subnet| addresses::free_in_subnet(context.view, subnet, &[]).is_some())
        .map(|subnet| vec![Some(subnet.clone())])
        .ok_or(OpError::NoUsableSubnet)
}

fn check_pair(context: &Context<'_>, first: &Subnet, second: &Subnet) -> Result<(), OpError> {
    let region = context.caller.settings.region(&context.caller.dialect, &context.caller.region);
    let has_several_zones = region.is_some_and(|region| region.zones.len() > 1);
    if has_several_zones && first.id == second.id {
        return Err(OpError::SameSubnet);
    }
    if has_several_zones && first.zone == second.zone {
        return Err(OpError::SameZone);
    }
    Ok(())
}

pub(crate) fn modify(mut context: Context<'_>, it: &ModifyGateway) -> Result<Decision, OpError> {
    let old = context.gateway(&it.id)?;
    context.check_changeable(&old)?;
    check_bgp(&context, &old, it)?;
    let mut new = (*old).clone();
    new.meta.name = it.name.clone().unwrap_or(new.meta.name);
    new.meta.description = it.description.clone().unwrap_or(new.meta.description);
    new.meta.facet = it.facet.clone().unwrap_or(new.meta.facet);
    new.propagate = it.propagate.unwrap_or(new.propagate);
    new.bandwidth_mbps = it.bandwidth_mbps.unwrap_or(new.bandwidth_mbps);
    new.charge = it.charge.unwrap_or(new.charge);
    new.asn = it.asn.or(new.asn);
    // Names are not the data plane's business.
    let concerns_data_plane =
        new.propagate != old.propagate || new.bandwidth_mbps != old.bandwidth_mbps || new.asn != old.asn;
    if concerns_data_plane {
        new.meta.generation += 1;
    }
    let key = new.id.key();
    context.put(new);
    Ok(context.decided(Outcome::Changed(key)))
}

/// What the sessions of its connections rest on stays.
fn check_bgp(context: &Context<'_>, gateway: &Gateway, it: &ModifyGateway) -> Result<(), OpError> {
    let speaks_bgp = || {
        context.view.children(gateway.id, Kind::Connection).any(|record| match record {
            Record::Connection(other) => other.tunnels.iter().any(|tunnel| tunnel.bgp.is_some()),
            _ => false,
        })
    };
    if gateway.propagate && it.propagate == Some(false) && speaks_bgp() {
        return Err(OpError::PropagationInUse(it.id.clone()));
    }
    if it.asn.is_some() && it.asn != gateway.asn && speaks_bgp() {
        return Err(OpError::AsnInUse { kind: Kind::Gateway, id: it.id.clone() });
    }
    Ok(())
}

pub(crate) fn delete(mut context: Context<'_>, it: &Target) -> Result<Decision, OpError> {
    let gateway = context.gateway(&it.id)?;
    let id: ExternalId = it.id.clone();
    if gateway.state() != GatewayState::Unpaid {
        context.check_removable(&gateway)?;
        if context.caller.rules.keeps_prepaid && gateway.charge != Charge::PostPaid {
            return Err(OpError::Prepaid { id });
        }
    }
    for by in [Kind::Connection, Kind::Route] {
        if context.view.children(gateway.id, by).next().is_some() {
            return Err(OpError::InUse { kind: Kind::Gateway, id, by });
        }
    }
    let mut gone = (*gateway).clone();
    gone.meta.deleting = true;
    gone.meta.generation += 1;
    context.put(gone);
    Ok(context.decided(Outcome::Done))
}
