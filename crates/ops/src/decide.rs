//! Deciding: from a snapshot and an operation to the writes and the outcome.

use causeway_model::{Millis, View};

use crate::context::Context;
use crate::{Caller, Decision, OpError, Operation, token};
use crate::{
    connections, customer_gateways, gateways, known_tags, networks, orders, read, relabel, resource_groups,
    routes, subnets, tags,
};

/// Decides an operation on a snapshot. Pure: the same arguments give the same decision.
///
/// `entropy` gives uniformly distributed random numbers, unpredictable to callers (ids and pre-shared keys are
/// made from it).
///
/// # Errors
/// Why the operation is refused; see [`OpError`]. Nothing is to be written then.
pub fn decide(
    view: &View,
    caller: &Caller,
    operation: &Operation,
    now: Millis,
    entropy: &mut dyn FnMut() -> u64,
) -> Result<Decision, OpError> {
    if caller.settings.region(&caller.dialect, &caller.region).is_none() {
        return Err(OpError::UnknownRegion(caller.region.to_string()));
    }
    if let Some(repeated) = token::recall(view, caller, now)? {
        return Ok(Decision::nothing(repeated));
    }
    let context = Context::new(view, caller, now, entropy);
    let decision = match operation {
        Operation::CreateNetwork(it) => networks::create(context, it),
        Operation::DeleteNetwork(it) => networks::delete(context, it),
        Operation::CreateSubnet(it) => subnets::create(context, it),
        Operation::DeleteSubnet(it) => subnets::delete(context, it),
        Operation::CreateRoutes(it) => routes::create(context, it),
        Operation::DeleteRoutes(it) => routes::delete(context, it),
        Operation::CreateGateway(it) => gateways::create(context, it),
        Operation::ModifyGateway(it) => gateways::modify(context, it),
        Operation::DeleteGateway(it) => gateways::delete(context, it),
        Operation::CreateCustomerGateway(it) => customer_gateways::create(context, it),
        Operation::ModifyCustomerGateway(it) => customer_gateways::modify(context, it),
        Operation::DeleteCustomerGateway(it) => customer_gateways::delete(context, it),
        Operation::CreateConnection(it) => connections::create(context, it),
        Operation::DeleteConnection(it) => connections::delete(context, it),
        Operation::Relabel(it) => relabel::relabel(context, it),
        Operation::SetTags(it) => tags::set(context, it),
        Operation::CreateTags(pairs) => known_tags::create(context, pairs),
        Operation::DeleteTags(pairs) => known_tags::delete(context, pairs),
        Operation::MoveResourceGroup(it) => resource_groups::move_resource(context, it),
        Operation::PayOrder(it) => orders::pay(context, it),
        Operation::Read(query) => read::read(context, query),
    }?;
    Ok(token::remember(view, caller, now, decision))
}

#[cfg(test)]
#[path = "decide_deleting_tests.rs"]
mod deleting_tests;
#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
