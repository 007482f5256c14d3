//! Tags by themselves: what the account has made, and what its resources have.

use std::collections::BTreeSet;

use causeway_dialect::EncodeContext;
use causeway_ops::{TagTrouble, known_tags};

use crate::params::Members;
use crate::refusal::Refusal;
use crate::tagging::owned;

/// Every tag of the caller, key and value, if `CreateUin` does not ask for another account's.
pub fn pairs(context: &EncodeContext<'_>, members: &Members<'_>) -> BTreeSet<(String, String)> {
    let of_resources = owned::tagged_by(context, members).into_iter();
    let of_resources =
        of_resources.flat_map(|(_, meta)| meta.tags.iter().map(|(key, value)| (key.clone(), value.clone())));
    let known = known_tags::known(context.view, context.caller);
    let known = known.filter(|_| owned::is_of_caller(context, members));
    of_resources.chain(known.map(|tag| (tag.key.clone(), tag.value.clone()))).collect()
}

/// The API's words for why a tag can't be made or deleted.
pub fn refuse(why: &TagTrouble) -> Refusal {
    match why {
        TagTrouble::Exists { key, value } => Refusal::new(
            "ResourceInUse.TagDuplicate",
            format!("The tag `{key}:{value}` exists already."),
            format!("标签`{key}:{value}`已存在。"),
        ),
        TagTrouble::Unknown { key, value } => Refusal::new(
            "ResourceNotFound.TagNonExist",
            format!("The tag `{key}:{value}` does not exist."),
            format!("标签`{key}:{value}`不存在。"),
        ),
        TagTrouble::InUse { key, value, by } => Refusal::new(
            "FailedOperation.TagAttachedResource",
            format!("The tag `{key}:{value}` is attached to `{by}`."),
            format!("标签`{key}:{value}`已关联资源`{by}`。"),
        ),
        TagTrouble::TooMany { limit } => Refusal::new(
            "LimitExceeded.TagKey",
            format!("The number of tags exceeds the limit `{limit}`."),
            format!("标签数量超过上限`{limit}`。"),
        ),
    }
}
