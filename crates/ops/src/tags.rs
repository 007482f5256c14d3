//! Tags: add, replace, remove.

use crate::context::Context;
use crate::operation::SetTags;
use crate::{Decision, OpError, Outcome, Quota};

pub(crate) fn set(mut context: Context<'_>, it: &SetTags) -> Result<Decision, OpError> {
    let limit = context.quota(Quota::TagsPerResource);
    for tagged in &it.resources {
        let region = tagged.region.as_ref().unwrap_or(&context.caller.region);
        let mut record = context.find_in(region, tagged.kind, &tagged.id)?.clone();
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
