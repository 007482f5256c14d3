//! Gateways: create, modify and delete.

use causeway_model::{
    Charge, ExternalId, Gateway, GatewayId, GatewayState, GatewayStatus, Kind, Order, OrderId, Record, Term,
};

use crate::context::Context;
use crate::operation::{CreateGateway, Label, ModifyGateway, NewBandwidth, Target};
use crate::{Decision, Lack, OpError, Outcome, Quota, placement};

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
    if it.features.transit {
        let present = transit_gateways(&context);
        context.check_quota(Quota::TransitGatewaysPerRegion, present, 1)?;
    }
    let instances = placement::place(&context, network.as_deref(), it)?;
    let paid = it.charge == Charge::PostPaid || it.pay_now;
    check_funds(&context, paid)?;
    let now = context.now;
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
        paid_at: paid.then_some(now),
        status: GatewayStatus::default(),
    });
    Ok(context.decided(Outcome::Created(vec![id.key()])))
}

/// Refuses orders of an account that can't place any, and to pay from an empty one.
pub(crate) fn check_funds(context: &Context<'_>, pays: bool) -> Result<(), OpError> {
    let account = context.caller.settings.accounts.get(&context.caller.account);
    match account {
        Some(account) if !account.billing => Err(OpError::BillingClosed),
        Some(account) if pays && !account.solvent => Err(OpError::InsufficientFunds),
        _ => Ok(()),
    }
}

/// How many gateways of transit networks the caller has in its region.
fn transit_gateways(context: &Context<'_>) -> usize {
    let list = context.view.list(&context.list_key(Kind::Gateway));
    let is_transit = |record: &Record| matches!(record, Record::Gateway(it) if it.features.transit);
    list.iter().filter(|(_, key)| context.view.record(*key).is_some_and(is_transit)).count()
}

pub(crate) fn modify(mut context: Context<'_>, it: &ModifyGateway) -> Result<Decision, OpError> {
    let old = context.gateway(&it.id)?;
    context.check_unlocked(&old)?;
    context.check_changeable(&old)?;
    if it.propagate == Some(true) {
        context.check_has(Lack::Bgp)?;
    }
    check_bgp(&context, &old, it)?;
    if it.ssl_clients.is_some() && old.features.ssl_clients.is_none() {
        return Err(OpError::SslDisabled(it.id.clone()));
    }
    if let Some(bandwidth) = &it.bandwidth {
        check_bandwidth(&context, &old, bandwidth)?;
    }
    let mut new = (*old).clone();
    new.features.ssl_clients = it.ssl_clients.or(new.features.ssl_clients);
    new.meta.name = it.name.clone().unwrap_or(new.meta.name);
    new.meta.description = it.description.clone().unwrap_or(new.meta.description);
    new.meta.facet = it.facet.clone().unwrap_or(new.meta.facet);
    new.propagate = it.propagate.unwrap_or(new.propagate);
    new.bandwidth_mbps = it.bandwidth.map_or(new.bandwidth_mbps, |bandwidth| bandwidth.mbps);
    if let (Some(wanted), Charge::PrePaid { at_end, .. }) = (it.at_end, &mut new.charge) {
        *at_end = wanted;
    }
    new.asn = it.asn.or(new.asn);
    // Names are not the data plane's business, and it has no SSL-VPN clients yet.
    let concerns_data_plane =
        new.propagate != old.propagate || new.bandwidth_mbps != old.bandwidth_mbps || new.asn != old.asn;
    if concerns_data_plane {
        new.meta.generation += 1;
    }
    let key = new.id.key();
    context.put(new);
    Ok(context.decided(Outcome::Changed(key)))
}

/// A new bandwidth is of the same band, and no less where more is paid for.
fn check_bandwidth(context: &Context<'_>, gateway: &Gateway, new: &NewBandwidth) -> Result<(), OpError> {
    let (from_mbps, to_mbps) = (gateway.bandwidth_mbps, new.mbps);
    let of_both = |(lowest, highest): &(u32, u32)| {
        let band = *lowest..=*highest;
        band.contains(&from_mbps) && band.contains(&to_mbps)
    };
    if !new.bands.iter().any(of_both) {
        return Err(OpError::BandwidthBand { from_mbps, to_mbps });
    }
    if to_mbps < from_mbps && context.term(gateway) != Term::Open {
        return Err(OpError::BandwidthLowered { to_mbps });
    }
    Ok(())
}

/// What the sessions of its connections rest on stays.
fn check_bgp(context: &Context<'_>, gateway: &Gateway, it: &ModifyGateway) -> Result<(), OpError> {
    let speaks_bgp = || {
        let mut tunnels = context.connections_of(gateway).flat_map(|connection| &connection.tunnels);
        tunnels.any(|tunnel| tunnel.bgp.is_some())
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
    if gateway.meta.deleting {
        return Err(OpError::BeingDeleted { kind: Kind::Gateway, id });
    }
    if gateway.state() != GatewayState::Unpaid {
        context.check_removable(&gateway)?;
        if context.caller.rules.keeps_prepaid && matches!(context.term(&gateway), Term::Until(_)) {
            return Err(OpError::Prepaid { id });
        }
    }
    let takes_routes = context.caller.rules.gateways_take_their_routes;
    for by in [Kind::Connection, Kind::Route] {
        let keeps = by == Kind::Connection || !takes_routes;
        if keeps && context.view.children(gateway.id, by).next().is_some() {
            return Err(OpError::InUse { kind: Kind::Gateway, id, by });
        }
    }
    for route in context.view.children(gateway.id, Kind::Route) {
        context.delete(route.key());
    }
    let mut gone = (*gateway).clone();
    gone.meta.deleting = true;
    gone.meta.generation += 1;
    context.put(gone);
    Ok(context.decided(Outcome::Done))
}
