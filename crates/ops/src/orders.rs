//! Orders: paying one lets its gateway be provisioned.

use causeway_model::{Kind, Record};

use crate::context::Context;
use crate::gateways::check_funds;
use crate::operation::Target;
use crate::{Decision, OpError, Outcome};

pub(crate) fn pay(mut context: Context<'_>, it: &Target) -> Result<Decision, OpError> {
    let not_found = || OpError::NotFound { kind: Kind::Order, id: it.id.clone() };
    let Record::Order(order) = context.find(Kind::Order, &it.id)? else { return Err(not_found()) };
    if order.paid {
        return Ok(Decision::nothing(Outcome::Changed(order.id.key())));
    }
    if let Some(Record::Gateway(gateway)) = context.view.record(order.subject)
        && gateway.meta.deleting
    {
        let id = gateway.meta.external.clone();
        return Err(OpError::WrongState { kind: Kind::Gateway, id });
    }
    check_funds(&context, true)?;
    let mut paid = (**order).clone();
    paid.paid = true;
    let key = paid.id.key();
    if let Some(Record::Gateway(gateway)) = context.view.record(order.subject) {
        let mut gateway = (**gateway).clone();
        gateway.paid = true;
        gateway.paid_at = Some(context.now);
        context.put(gateway);
    }
    context.put(paid);
    Ok(context.decided(Outcome::Changed(key)))
}
