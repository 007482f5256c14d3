//! Customer gateways: create, modify and delete.

use std::sync::Arc;

use causeway_model::{CustomerGateway, CustomerGatewayId, ExternalId, Gateway, Kind, Record};

use crate::context::Context;
use crate::operation::{CreateCustomerGateway, ModifyCustomerGateway, Target};
use crate::{Decision, OpError, Outcome, Quota};

pub(crate) fn create(mut context: Context<'_>, it: &CreateCustomerGateway) -> Result<Decision, OpError> {
    let list = context.list_key(Kind::CustomerGateway);
    if context.view.customer_gateway_by_ip(&list, it.ip).is_some() {
        return Err(OpError::DuplicateCustomerIp);
    }
    if it.bgp_key.is_some() && it.asn.is_none() {
        return Err(OpError::BgpKeyWithoutAsn);
    }
    context.check_quota(Quota::CustomerGatewaysPerRegion, context.count(Kind::CustomerGateway), 1)?;
    let id = CustomerGatewayId(context.fresh_id(Kind::CustomerGateway)?);
    let meta = context.fresh_meta(Kind::CustomerGateway, &it.label)?;
    context.put(CustomerGateway { id, meta, ip: it.ip, asn: it.asn, bgp_key: it.bgp_key.clone() });
    Ok(context.decided(Outcome::Created(vec![id.key()])))
}

pub(crate) fn modify(mut context: Context<'_>, it: &ModifyCustomerGateway) -> Result<Decision, OpError> {
    let old = context.customer_gateway(&it.id)?;
    let mut new = (*old).clone();
    new.meta.name = it.name.clone().unwrap_or(new.meta.name);
    new.meta.description = it.description.clone().unwrap_or(new.meta.description);
    new.meta.facet = it.facet.clone().unwrap_or(new.meta.facet);
    new.asn = it.asn.or(new.asn);
    new.bgp_key = it.bgp_key.clone().or(new.bgp_key);
    if new.bgp_key.is_some() && new.asn.is_none() {
        return Err(OpError::BgpKeyWithoutAsn);
    }
    let sessions = gateways_with_sessions(&context, &old);
    if new.asn != old.asn && !sessions.is_empty() {
        return Err(OpError::AsnInUse { kind: Kind::CustomerGateway, id: it.id.clone() });
    }
    if new.bgp_key != old.bgp_key {
        for gateway in &sessions {
            context.check_unlocked(gateway)?;
            context.check_changeable(gateway)?;
        }
        for gateway in &sessions {
            context.touch(gateway);
        }
    }
    let key = new.id.key();
    context.put(new);
    Ok(context.decided(Outcome::Changed(key)))
}

/// The gateways that have a BGP session with a customer gateway, each once.
fn gateways_with_sessions(context: &Context<'_>, peer: &CustomerGateway) -> Vec<Arc<Gateway>> {
    let mut found: Vec<Arc<Gateway>> = Vec::new();
    for record in context.view.children(peer.id, Kind::Connection) {
        let Record::Connection(connection) = record else { continue };
        let mut tunnels = connection.tunnels.iter();
        let has_session = tunnels.any(|tunnel| tunnel.customer_gateway == peer.id && tunnel.bgp.is_some());
        let is_new = found.iter().all(|gateway| gateway.id != connection.gateway);
        if has_session && is_new {
            found.extend(context.view.gateway(connection.gateway).cloned());
        }
    }
    found
}

pub(crate) fn delete(mut context: Context<'_>, it: &Target) -> Result<Decision, OpError> {
    let old = context.customer_gateway(&it.id)?;
    let mut users = context.view.children(old.id, Kind::Connection);
    if let Some(first) = users.next() {
        return Err(in_use(&context, it, first, users));
    }
    context.delete(old.id);
    Ok(context.decided(Outcome::Done))
}

/// Where a gateway shows the changes of its connections, one whose last connection is on its way out is busy: it
/// is worth trying again.
fn in_use<'a>(
    context: &Context<'_>,
    it: &Target,
    first: &'a Record,
    mut others: impl Iterator<Item = &'a Record>,
) -> OpError {
    let is_going = |record: &Record| record.meta().is_some_and(|meta| meta.deleting);
    if let Record::Connection(connection) = first
        && context.caller.rules.one_change_at_a_time
        && is_going(first)
        && others.all(is_going)
    {
        let id = ExternalId::from(context.view.external(connection.gateway));
        return OpError::Busy { kind: Kind::Gateway, id };
    }
    OpError::InUse { kind: Kind::CustomerGateway, id: it.id.clone(), by: Kind::Connection }
}
