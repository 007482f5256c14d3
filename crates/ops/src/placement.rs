//! Where the instances of a new gateway are placed: zones, subnets and addresses.

use std::net::IpAddr;
use std::sync::Arc;

use causeway_model::{Kind, Network, Placement, Record, Subnet, Zone};

use crate::context::Context;
use crate::operation::CreateGateway;
use crate::subnets::overlap;
use crate::{OpError, addresses};

/// Finds the places and addresses of a new gateway's instances.
pub(crate) fn place(
    context: &Context<'_>,
    network: Option<&Network>,
    it: &CreateGateway,
) -> Result<Vec<Placement>, OpError> {
    if let Some(zone) = &it.zone {
        check_zone(context, zone, 0)?;
    }
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
    for (ordinal, subnet) in named.iter().enumerate() {
        check_subnet(context, subnet, ordinal)?;
    }
    if named.is_empty() {
        return chosen(context, network);
    }
    Ok(named.into_iter().map(Some).collect())
}

fn check_pair(context: &Context<'_>, first: &Subnet, second: &Subnet) -> Result<(), OpError> {
    let has_several_zones = context.region().is_some_and(|region| region.zones.len() > 1);
    if has_several_zones && first.id == second.id {
        return Err(OpError::SameSubnet);
    }
    if has_several_zones && first.zone == second.zone {
        return Err(OpError::SameZone);
    }
    Ok(())
}

/// Whether a gateway can be placed in a subnet, as far as that does not depend on who is there already.
fn check_subnet(context: &Context<'_>, subnet: &Subnet, ordinal: usize) -> Result<(), OpError> {
    check_zone(context, &subnet.zone, ordinal)?;
    let mut pools = context.caller.settings.public_pools.iter();
    if pools.any(|pool| overlap(pool, &subnet.cidr)) {
        return Err(OpError::SubnetUnsuited(subnet.meta.external.clone()));
    }
    Ok(())
}

fn check_zone(context: &Context<'_>, zone: &Zone, ordinal: usize) -> Result<(), OpError> {
    match context.region().and_then(|region| region.closed_zones.get(zone)) {
        Some(&why) => Err(OpError::ZoneClosed { ordinal, why }),
        None => Ok(()),
    }
}

/// The first subnet of the network that will do, where gateways live in subnets and there are any.
fn chosen(context: &Context<'_>, network: &Network) -> Result<Vec<Option<Arc<Subnet>>>, OpError> {
    if !context.caller.rules.gateways_live_in_subnets {
        return Ok(vec![None]);
    }
    let mut refusal = None;
    for record in context.view.children(network.id, Kind::Subnet) {
        let Record::Subnet(subnet) = record else { continue };
        if subnet.meta.deleting {
            continue;
        }
        let is_full = addresses::free_in_subnet(context.view, subnet, &[]).is_none();
        match check_subnet(context, subnet, 0) {
            Ok(()) if is_full => refusal = Some(OpError::NoUsableSubnet),
            Ok(()) => return Ok(vec![Some(subnet.clone())]),
            Err(error) => refusal = refusal.or(Some(error)),
        }
    }
    refusal.map_or(Ok(vec![None]), Err)
}

#[cfg(test)]
#[path = "placement_tests.rs"]
mod tests;
