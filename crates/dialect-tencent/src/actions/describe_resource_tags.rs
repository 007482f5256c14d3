//! DescribeResourceTagsByResourceIds (and its twin in sequence) and DescribeResourceTags of the tag service.

use causeway_dialect::EncodeContext;
use causeway_ops::{Operation, Outcome, Query};
use serde_json::Value;

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

/// Resources of one call at most.
const IDS_MAX: usize = 50;

fn decode_by_ids(input: &Input<'_>) -> Result<Operation, Refusal> {
    let members = input.members();
    if members.texts("ResourceIds").len() > IDS_MAX {
        return Err(too_many_resources(IDS_MAX));
    }
    decode_all(input)
}

fn decode_all(input: &Input<'_>) -> Result<Operation, Refusal> {
    owned::page(&input.members())?;
    Ok(Operation::Read(Query::Settings))
}

/// Resources that the caller does not have, or whose service has no tags here, have no rows.
fn encode_by_ids(_: &Outcome, context: &EncodeContext<'_>) -> Result<Answer, Refusal> {
    let members = Members::new(&context.envelope.params);
    let kind = ids::kind_of_prefix(&members.text("ResourcePrefix").unwrap_or_default());
    let kind = kind.filter(|_| members.text("ServiceType").as_deref() == Some(SERVICE));
    let region = members.text("ResourceRegion").unwrap_or_default();
    let mut rows = Vec::new();
    for id in members.texts("ResourceIds") {
        let found = kind.and_then(|kind| owned::resource(context, kind, &id));
        let Some(meta) = found.filter(|meta| meta.region.as_str() == region) else { continue };
        rows.extend(meta.tags.iter().map(|(key, value)| owned::row(meta, key, value)));
    }
    answer(&members, "Tags", rows)
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
    answer(&members, "Rows", rows)
}

/// A page of rows, with the page's own numbers.
fn answer(members: &Members<'_>, name: &str, rows: Vec<Value>) -> Result<Answer, Refusal> {
    let (offset, limit) = owned::page(members)?;
    let total = rows.len();
    let rows: Vec<Value> = rows.into_iter().skip(offset).take(limit).collect();
    Ok(Answer::from_iter([
        ("TotalCount".to_owned(), Value::from(total)),
        ("Offset".to_owned(), Value::from(offset)),
        ("Limit".to_owned(), Value::from(limit)),
        (name.to_owned(), Value::Array(rows)),
    ]))
}
