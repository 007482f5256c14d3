//! Tags by themselves: create and delete. They are the account's, whatever region they were made in.

use causeway_model::{ExternalId, Key, Kind, ListKey, Record, Region, Tag, TagId, View, limits};

use crate::context::Context;
use crate::operation::Label;
use crate::{Caller, Decision, OpError, Outcome};

/// Why tags by themselves can't be made or deleted.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TagTrouble {
    /// It is there: by itself, or on a resource.
    #[error("the tag {key}={value} exists")]
    Exists {
        /// Its key.
        key: String,
        /// Its value.
        value: String,
    },
    /// It is not there.
    #[error("the tag {key}={value} does not exist")]
    Unknown {
        /// Its key.
        key: String,
        /// Its value.
        value: String,
    },
    /// A resource has it.
    #[error("the tag {key}={value} is on {by}")]
    InUse {
        /// Its key.
        key: String,
        /// Its value.
        value: String,
        /// The resource.
        by: ExternalId,
    },
    /// The account has as many as it may have.
    #[error("more than {limit} tags")]
    TooMany {
        /// As many as allowed.
        limit: usize,
    },
}

/// The caller's records of a kind, in every region of its API.
pub fn everywhere<'a>(view: &'a View, caller: &'a Caller, kind: Kind) -> impl Iterator<Item = &'a Record> {
    let regions = caller.settings.regions(&caller.dialect).iter().map(|region| region.id.clone());
    let keys_of = move |region: Region| -> Vec<Key> {
        let list = ListKey { owner: caller.account.clone(), dialect: caller.dialect.clone(), region, kind };
        view.list(&list).iter().map(|(_, key)| *key).collect()
    };
    regions.flat_map(keys_of).filter_map(|key| view.record(key))
}

/// The caller's tags that exist by themselves.
pub fn known<'a>(view: &'a View, caller: &'a Caller) -> impl Iterator<Item = &'a Tag> {
    everywhere(view, caller, Kind::Tag).filter_map(|record| match record {
        Record::Tag(tag) => Some(&**tag),
        _ => None,
    })
}

/// The first of the caller's resources that has a tag.
fn user(context: &Context<'_>, key: &str, value: &str) -> Option<ExternalId> {
    let mut records = Kind::ALL.iter().flat_map(|kind| everywhere(context.view, context.caller, *kind));
    let has = |record: &&Record| {
        record.meta().is_some_and(|meta| meta.tags.get(key).is_some_and(|known| known == value))
    };
    records.find(has).and_then(Record::meta).map(|meta| meta.external.clone())
}

pub(crate) fn create(mut context: Context<'_>, pairs: &[(String, String)]) -> Result<Decision, OpError> {
    let present: Vec<&Tag> = known(context.view, context.caller).collect();
    if present.len() + pairs.len() > limits::KNOWN_TAGS_MAX {
        return Err(TagTrouble::TooMany { limit: limits::KNOWN_TAGS_MAX }.into());
    }
    for (ordinal, (key, value)) in pairs.iter().enumerate() {
        let is_known = present.iter().any(|tag| tag.key == *key && tag.value == *value)
            || pairs.iter().take(ordinal).any(|other| (&other.0, &other.1) == (key, value));
        if is_known || user(&context, key, value).is_some() {
            return Err(TagTrouble::Exists { key: key.clone(), value: value.clone() }.into());
        }
    }
    for (key, value) in pairs {
        let id = TagId(context.fresh_id(Kind::Tag)?);
        let meta = context.fresh_meta(Kind::Tag, &Label::default())?;
        context.put(Tag { id, meta, key: key.clone(), value: value.clone() });
    }
    Ok(context.decided(Outcome::Done))
}

pub(crate) fn delete(mut context: Context<'_>, pairs: &[(String, String)]) -> Result<Decision, OpError> {
    for (key, value) in pairs {
        let (key, value) = (key.clone(), value.clone());
        if let Some(by) = user(&context, &key, &value) {
            return Err(TagTrouble::InUse { key, value, by }.into());
        }
        let found = known(context.view, context.caller).find(|tag| tag.key == key && tag.value == value);
        let Some(tag) = found else { return Err(TagTrouble::Unknown { key, value }.into()) };
        context.delete(tag.id);
    }
    Ok(context.decided(Outcome::Done))
}
