//! Names and dialect facts of what the data plane does not look at: networks and subnets.

use crate::context::Context;
use crate::operation::Relabel;
use crate::{Decision, OpError, Outcome};

pub(crate) fn relabel(mut context: Context<'_>, it: &Relabel) -> Result<Decision, OpError> {
    let mut record = context.find(it.kind, &it.id)?.clone();
    let key = record.key();
    if let Some(meta) = record.meta_mut() {
        if meta.deleting {
            return Err(OpError::NotFound { kind: it.kind, id: it.id.clone() });
        }
        if let Some(name) = &it.name {
            meta.name.clone_from(name);
        }
        if let Some(description) = &it.description {
            meta.description.clone_from(description);
        }
        if let Some(change) = &it.facet {
            meta.facet = (change.0)(&meta.facet);
        }
    }
    context.put(record);
    Ok(context.decided(Outcome::Changed(key)))
}
