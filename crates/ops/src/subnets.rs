//! Subnets: create and delete.

use causeway_model::{Kind, NextHop, Record, Route, RouteId, Subnet, SubnetId};
use ipnet::IpNet;

use crate::context::Context;
use crate::operation::{CreateSubnet, Label, Target};
use crate::{Decision, OpError, Outcome, Quota};

/// Whether two ranges share an address.
pub(crate) fn overlap(a: &IpNet, b: &IpNet) -> bool {
    a.contains(b) || b.contains(a)
}

pub(crate) fn create(mut context: Context<'_>, it: &CreateSubnet) -> Result<Decision, OpError> {
    let network = context.network(&it.network)?;
    if network.meta.deleting {
        return Err(OpError::NotFound { kind: Kind::Network, id: it.network.clone() });
    }
    let region = context.caller.settings.region(&context.caller.dialect, &context.caller.region);
    if !region.is_some_and(|region| region.zones.contains(&it.zone)) {
        return Err(OpError::UnknownZone(it.zone.to_string()));
    }
    let mut ranges = std::iter::once(&network.cidr).chain(&network.secondary_cidrs);
    if !ranges.any(|range| range.contains(&it.cidr)) {
        return Err(OpError::CidrOutsideNetwork(it.cidr));
    }
    let mut present = 0;
    for record in context.view.children(network.id, Kind::Subnet) {
        present += 1;
        if let Record::Subnet(other) = record
            && overlap(&other.cidr, &it.cidr)
        {
            return Err(OpError::CidrOverlap { cidr: it.cidr, other: other.cidr });
        }
    }
    context.check_quota(Quota::SubnetsPerNetwork, present, 1)?;
    let id = SubnetId(context.fresh_id(Kind::Subnet)?);
    let meta = context.fresh_meta(Kind::Subnet, &it.label)?;
    let table = network.main_table;
    let route_id = RouteId(context.fresh_id(Kind::Route)?);
    let route_meta = context.fresh_meta(Kind::Route, &Label::default())?;
    context.put(Subnet {
        id,
        meta,
        network: network.id,
        zone: it.zone.clone(),
        cidr: it.cidr,
        table,
        observed_generation: 0,
    });
    context.put(Route {
        id: route_id,
        meta: route_meta,
        table,
        network: network.id,
        destination: it.cidr,
        next_hop: NextHop::Local,
        enabled: true,
        system: true,
        connection: None,
    });
    Ok(context.decided(Outcome::Created(vec![id.key()])))
}

pub(crate) fn delete(mut context: Context<'_>, it: &Target) -> Result<Decision, OpError> {
    let subnet = context.subnet(&it.id)?;
    crate::context::check_parent(context.view, Kind::Subnet, &it.id, subnet.network, it.parent.as_ref())?;
    if subnet.meta.deleting {
        return Ok(Decision::nothing(Outcome::Done));
    }
    if context.view.children(subnet.id, Kind::Gateway).next().is_some() {
        return Err(OpError::InUse { kind: Kind::Subnet, id: it.id.clone(), by: Kind::Gateway });
    }
    for record in context.view.children(subnet.table, Kind::Route) {
        if let Record::Route(route) = record
            && route.system
            && route.destination == subnet.cidr
        {
            context.delete(route.id);
        }
    }
    let mut gone = (*subnet).clone();
    gone.meta.deleting = true;
    gone.meta.generation += 1;
    context.put(gone);
    Ok(context.decided(Outcome::Done))
}
