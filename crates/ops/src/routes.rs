//! Routes of route tables: create and delete.

use causeway_model::{ExternalId, Kind, NextHop, Record, Route, RouteId, RouteTable};

use crate::context::Context;
use crate::operation::{CreateRoutes, DeleteRoutes, NewRoute, NextHopRef, RouteSelector};
use crate::{Decision, OpError, Outcome, Quota};

pub(crate) fn create(mut context: Context<'_>, it: &CreateRoutes) -> Result<Decision, OpError> {
    let table = context.table(&it.table)?;
    if context.view.network(table.network).is_none_or(|network| network.meta.deleting) {
        // It goes with its network.
        return Err(OpError::NotFound { kind: Kind::RouteTable, id: it.table.clone() });
    }
    let own = context.view.children(table.id, Kind::Route);
    let present = own.filter(|record| matches!(record, Record::Route(route) if !route.system)).count();
    context.check_quota(Quota::RoutesPerTable, present, it.routes.len())?;
    let mut made: Vec<Route> = Vec::new();
    for new in &it.routes {
        check_destination(&context, &table, new)?;
        if made.iter().any(|route| route.destination == new.destination) {
            return Err(OpError::RouteExists(new.destination));
        }
        let next_hop = next_hop(&context, &table, &new.next_hop)?;
        made.push(Route {
            id: RouteId(context.fresh_id(Kind::Route)?),
            meta: context.fresh_meta(Kind::Route, &new.label)?,
            table: table.id,
            network: table.network,
            destination: new.destination,
            next_hop,
            enabled: new.enabled,
            system: false,
            connection: None,
        });
    }
    let keys = made.iter().map(|route| route.id.key()).collect();
    for route in made {
        context.put(route);
    }
    Ok(context.decided(Outcome::Created(keys)))
}

fn check_destination(context: &Context<'_>, table: &RouteTable, new: &NewRoute) -> Result<(), OpError> {
    if context.caller.rules.routes_leave_networks
        && let Some(network) = context.view.network(table.network)
        && std::iter::once(&network.cidr)
            .chain(&network.secondary_cidrs)
            .any(|own| own.contains(&new.destination))
    {
        return Err(OpError::RouteConflictsWithSubnet(new.destination));
    }
    for record in context.view.children(table.id, Kind::Route) {
        let Record::Route(route) = record else { continue };
        if route.system && route.destination.contains(&new.destination) {
            return Err(OpError::RouteConflictsWithSubnet(new.destination));
        }
        if route.destination == new.destination {
            return Err(OpError::RouteExists(new.destination));
        }
    }
    Ok(())
}

fn next_hop(context: &Context<'_>, table: &RouteTable, wanted: &NextHopRef) -> Result<NextHop, OpError> {
    match wanted {
        NextHopRef::Gateway(id) => {
            let gateway = context.gateway(id)?;
            if gateway.network != Some(table.network) {
                let parent = ExternalId::from(context.view.external(table.network));
                return Err(OpError::WrongParent { kind: Kind::Gateway, id: id.clone(), parent });
            }
            if gateway.meta.deleting {
                return Err(OpError::NotFound { kind: Kind::Gateway, id: id.clone() });
            }
            Ok(NextHop::Gateway(gateway.id))
        }
        NextHopRef::Other { kind, id } => {
            Err(OpError::NextHopNotFound { kind: kind.clone(), id: id.clone() })
        }
    }
}

pub(crate) fn delete(mut context: Context<'_>, it: &DeleteRoutes) -> Result<Decision, OpError> {
    let mut removed = Vec::new();
    for selector in &it.routes {
        let route = select(&context, it.table.as_ref(), selector)?;
        if route.system {
            return Err(OpError::SystemRoute(route.destination));
        }
        context.delete(route.id);
        removed.push(Record::from(route));
    }
    Ok(context.decided(Outcome::Removed(removed)))
}

fn select(
    context: &Context<'_>,
    table: Option<&ExternalId>,
    selector: &RouteSelector,
) -> Result<Route, OpError> {
    let missing = || {
        let destination = selector.destination.map(|destination| destination.to_string());
        let id = selector.id.clone().or(destination.map(ExternalId::from));
        OpError::NotFound { kind: Kind::Route, id: id.unwrap_or_else(|| ExternalId::from("")) }
    };
    let table = table.map(|id| context.table(id)).transpose()?;
    let candidates: Vec<&Record> = match (&selector.id, &table) {
        (Some(id), _) => vec![context.find(Kind::Route, id)?],
        (None, Some(table)) => context.view.children(table.id, Kind::Route).collect(),
        (None, None) => Vec::new(),
    };
    candidates
        .into_iter()
        .find_map(|record| match record {
            Record::Route(route) if fits(context, route, table.as_deref(), selector) => {
                Some((**route).clone())
            }
            _ => None,
        })
        .ok_or_else(missing)
}

fn fits(context: &Context<'_>, route: &Route, table: Option<&RouteTable>, selector: &RouteSelector) -> bool {
    let next_hop = match &route.next_hop {
        NextHop::Local => "",
        NextHop::Gateway(gateway) => context.view.external(*gateway),
        NextHop::Other { id, .. } => id,
    };
    table.is_none_or(|table| table.id == route.table)
        && selector.destination.is_none_or(|destination| destination == route.destination)
        && selector.next_hop.as_ref().is_none_or(|id| id.as_str() == next_hop)
}
