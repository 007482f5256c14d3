//! Resource groups: moving a resource into another one.

use causeway_model::{Kind, Record};

use crate::context::Context;
use crate::operation::MoveResourceGroup;
use crate::{Decision, OpError, Outcome};

/// Moves a resource. The connections of a gateway follow it.
pub(crate) fn move_resource(mut context: Context<'_>, it: &MoveResourceGroup) -> Result<Decision, OpError> {
    let group = context.resource_group(Some(&it.group))?;
    let mut record = context.find(it.kind, &it.id)?.clone();
    let mut moved: Vec<Record> = Vec::new();
    if it.kind == Kind::Gateway {
        moved.extend(context.view.children(record.key(), Kind::Connection).cloned());
    }
    let key = record.key();
    for followed in std::iter::once(&mut record).chain(&mut moved) {
        if let Some(meta) = followed.meta_mut() {
            meta.resource_group.clone_from(&group);
        }
    }
    context.put(record);
    for follower in moved {
        context.put(follower);
    }
    Ok(context.decided(Outcome::Changed(key)))
}
