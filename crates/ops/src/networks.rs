//! Networks: create and delete.

use causeway_model::{Kind, Network, NetworkId, Record, RouteTable, RouteTableId};

use crate::context::Context;
use crate::operation::{CreateNetwork, Label, Target};
use crate::{Decision, OpError, Outcome, Quota};

pub(crate) fn create(mut context: Context<'_>, it: &CreateNetwork) -> Result<Decision, OpError> {
    context.check_quota(Quota::NetworksPerRegion, context.count(Kind::Network), 1)?;
    let id = NetworkId(context.fresh_id(Kind::Network)?);
    let main_table = RouteTableId(context.fresh_id(Kind::RouteTable)?);
    let meta = context.fresh_meta(Kind::Network, &it.label)?;
    let table_label = Label { resource_group: it.label.resource_group.clone(), ..Label::default() };
    let table_meta = context.fresh_meta(Kind::RouteTable, &table_label)?;
    context.put(Network {
        id,
        meta,
        cidr: it.cidr,
        secondary_cidrs: it.secondary_cidrs.clone(),
        main_table,
        is_default: it.is_default,
        observed_generation: 0,
    });
    context.put(RouteTable { id: main_table, meta: table_meta, network: id, is_main: true });
    Ok(context.decided(Outcome::Created(vec![id.key()])))
}

pub(crate) fn delete(mut context: Context<'_>, it: &Target) -> Result<Decision, OpError> {
    let network = context.network(&it.id)?;
    if network.meta.deleting {
        return Ok(Decision::nothing(Outcome::Done));
    }
    // A subnet that is on its way out goes with its network; a gateway first gives back what it has there.
    let stays = |record: &Record| record.meta().is_some_and(|meta| !meta.deleting);
    for by in [Kind::Subnet, Kind::Gateway] {
        let mut children = context.view.children(network.id, by);
        if children.any(|record| by == Kind::Gateway || stays(record)) {
            return Err(OpError::InUse { kind: Kind::Network, id: it.id.clone(), by });
        }
    }
    let mut gone = (*network).clone();
    gone.meta.deleting = true;
    gone.meta.generation += 1;
    context.put(gone);
    Ok(context.decided(Outcome::Done))
}
