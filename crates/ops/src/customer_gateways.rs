//! Customer gateways: create, modify and delete.

use causeway_model::{CustomerGateway, CustomerGatewayId, Kind};

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
    let key = new.id.key();
    context.put(new);
    Ok(context.decided(Outcome::Changed(key)))
}

pub(crate) fn delete(mut context: Context<'_>, it: &Target) -> Result<Decision, OpError> {
    let old = context.customer_gateway(&it.id)?;
    if context.view.children(old.id, Kind::Connection).next().is_some() {
        let (kind, by) = (Kind::CustomerGateway, Kind::Connection);
        return Err(OpError::InUse { kind, id: it.id.clone(), by });
    }
    context.delete(old.id);
    Ok(context.decided(Outcome::Done))
}
