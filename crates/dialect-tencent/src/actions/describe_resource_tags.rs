//! DescribeResourceTagsByResourceIds (and its twin in sequence), DescribeResourceTagsByTagKeys and
//! DescribeResourceTags of the tag service.

use causeway_dialect::EncodeContext;
use causeway_model::Meta;
use causeway_ops::{Operation, Outcome, Query};
use serde_json::{Value, json};

use crate::action::{Action, Answer, Input};
use crate::ids;
use crate::params::Members;
use crate::refusal::Refusal;
use crate::tagging::description::{SERVICE, too_many_resources};
use crate::tagging::owned;

/// The tags of some resources.
pub const BY_IDS: Action = Action {
    service: "tag",
    name: "DescribeResourceTagsByResourceIds",
    decode: decode_by_ids,
    encode: encode_by_ids,
};
/// The same, under its second name.
pub const BY_IDS_SEQ: Action = Action {
    service: "tag",
    name: "DescribeResourceTagsByResourceIdsSeq",
    decode: decode_by_ids,
    encode: encode_by_ids,
};
/// The tags of every resource that fits.
pub const ALL: Action =
    Action { service: "tag", name: "DescribeResourceTags", decode: decode_all, encode: encode_all };

/// The values that some resources have of some keys.
pub const BY_KEYS: Action = Action {
    service: "tag",
    name: "DescribeResourceTagsByTagKeys",
    decode: decode_by_ids,
    encode: encode_by_keys,
};

/// Resources of one call at most.
const IDS_MAX: usize = 50;

fn decode_by_ids(input: &Input<'_>) -> Result<Operation, Refusal> {
    let members = input.members();
    if members.texts("ResourceIds").len() > IDS_MAX {
        return Err(too_many_resources(IDS_MAX));
    }
    let (offset, limit) = owned::page(&members)?;
    // Documented for these actions alone.
    if !offset.is_multiple_of(limit) {
        return Err(Refusal::value("Offset", offset));
    }
    decode_all(input)
}

fn decode_all(input: &Input<'_>) -> Result<Operation, Refusal> {
    owned::page(&input.members())?;
    Ok(Operation::Read(Query::Settings))
}

/// The resources of `ResourceIds`. Those that the caller does not have, or whose service has no tags here, are left out.
fn named<'a>(context: &EncodeContext<'a>, members: &Members<'_>) -> Vec<&'a Meta> {
    let kind = ids::kind_of_prefix(&members.text("ResourcePrefix").unwrap_or_default());
    let kind = kind.filter(|_| members.text("ServiceType").as_deref() == Some(SERVICE));
    let region = members.text("ResourceRegion").unwrap_or_default();
    let ids = members.texts("ResourceIds").into_iter();
    let found = ids.filter_map(|id| kind.and_then(|kind| owned::resource(context, kind, &id)));
    found.filter(|meta| meta.region.as_str() == region).collect()
}

fn encode_by_ids(_: &Outcome, context: &EncodeContext<'_>) -> Result<Answer, Refusal> {
    let members = Members::new(&context.envelope.params);
    let tags = named(context, &members)
        .into_iter()
        .flat_map(|meta| meta.tags.iter().map(move |(key, value)| owned::row(meta, key, value)));
    owned::answer(&members, "Tags", tags.collect())
}

fn encode_by_keys(_: &Outcome, context: &EncodeContext<'_>) -> Result<Answer, Refusal> {
    let members = Members::new(&context.envelope.params);
    let keys = members.texts("TagKeys");
    let rows = named(context, &members).into_iter().filter_map(|meta| {
        let tags = owned::tags(meta).into_iter();
        let tags: Vec<Value> =
            tags.filter(|tag| keys.iter().any(|key| tag["TagKey"] == key.as_str())).collect();
        (!tags.is_empty()).then(|| json!({"ResourceId": meta.external.as_str(), "TagKeyValues": tags}))
    });
    owned::answer(&members, "Rows", rows.collect())
}

fn encode_all(_: &Outcome, context: &EncodeContext<'_>) -> Result<Answer, Refusal> {
    let members = Members::new(&context.envelope.params);
    let fits = |name: &str, value: &str| members.text(name).is_none_or(|wanted| wanted == value);
    let mut rows = Vec::new();
    for (kind, meta) in owned::tagged_by(context, &members) {
        let is_wanted = fits("ServiceType", SERVICE)
            && fits("ResourcePrefix", ids::prefix(kind))
            && fits("ResourceRegion", meta.region.as_str())
            && fits("ResourceId", meta.external.as_str());
        if is_wanted {
            rows.extend(meta.tags.iter().map(|(key, value)| owned::row(meta, key, value)));
        }
    }
    owned::answer(&members, "Rows", rows)
}
