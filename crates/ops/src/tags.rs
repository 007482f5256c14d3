//! Tags: add, replace, remove.

use crate::context::Context;
use crate::operation::SetTags;
use crate::{Decision, OpError, Outcome, Quota};

pub(crate) fn set(mut context: Context<'_>, it: &SetTags) -> Result<Decision, OpError> {
    let limit = context.quota(Quota::TagsPerResource);
    for (kind, id) in &it.resources {
        let mut record = context.find(*kind, id)?.clone();
        let Some(meta) = record.meta_mut() else { continue };
        if it.remove_all {
            meta.tags.clear();
        }
        for key in &it.remove {
            meta.tags.remove(key);
        }
        meta.tags.extend(it.put.iter().cloned());
        if let Some(limit) = limit
            && meta.tags.len() > limit as usize
        {
            return Err(OpError::TooManyTags { limit });
        }
        context.put(record);
    }
    Ok(context.decided(Outcome::Done))
}
