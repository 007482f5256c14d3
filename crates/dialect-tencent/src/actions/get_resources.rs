//! GetResources of the tag service: resources with their tags, by descriptions or by tags.

use causeway_dialect::EncodeContext;
use causeway_model::{Kind, Meta};
use causeway_ops::{Operation, Outcome, Query};
use serde_json::{Value, json};

use crate::action::{Action, Answer, Decoded, Input};
use crate::params::Members;
use crate::refusal::Refusal;
use crate::tagging::{description, owned};

/// See the module.
pub const ACTION: Action = Action { service: "tag", name: "GetResources", decode, encode };

const RESULTS_DEFAULT: i64 = 50;
const RESULTS_MAX: i64 = 200;
const FILTERS_MAX: usize = 6;

fn decode(input: &Input<'_>) -> Result<Decoded, Refusal> {
    let members = input.members();
    page(&members)?;
    if members.structures("TagFilters").len() > FILTERS_MAX {
        return Err(Refusal::value_as("LimitExceeded.TagNumPerRequest", "TagFilters", FILTERS_MAX));
    }
    for text in members.texts("ResourceList") {
        description::parse(&text, input.context.account.as_str())?;
    }
    Ok(Operation::Read(Query::Settings).into())
}

/// The place where the page begins, and its length. The token is the place in decimal.
fn page(members: &Members<'_>) -> Result<(usize, usize), Refusal> {
    let start = match members.text("PaginationToken") {
        None => 0,
        Some(token) => token.parse::<usize>().map_err(|_| {
            Refusal::value_as("InvalidParameter.PaginationTokenInvalid", "PaginationToken", &token)
        })?,
    };
    let limit = members.integer_in("MaxResults", 1..=RESULTS_MAX, "InvalidParameter")?;
    Ok((start, usize::try_from(limit.unwrap_or(RESULTS_DEFAULT)).unwrap_or_default()))
}

fn encode(_: &Outcome, context: &EncodeContext<'_>) -> Result<Answer, Refusal> {
    let members = Members::new(&context.envelope.params);
    let account = context.caller.account.as_str();
    let wanted = members
        .texts("ResourceList")
        .iter()
        .map(|text| description::parse(text, account))
        .collect::<Result<Vec<_>, _>>()?;
    let filters = members.structures("TagFilters");
    let found: Vec<Value> = owned::tagged(context)
        .into_iter()
        .filter(|(kind, meta)| {
            wanted.is_empty() || wanted.iter().any(|it| it.kind == *kind && it.id == meta.external)
        })
        .filter(|(_, meta)| filters.iter().all(|filter| has(meta, filter)))
        .map(|(kind, meta)| mapping(account, kind, meta))
        .collect();
    let (start, limit) = page(&members)?;
    let end = start.saturating_add(limit);
    let token = if end < found.len() { end.to_string() } else { String::new() };
    let items: Vec<Value> = found.into_iter().skip(start).take(limit).collect();
    Ok(Answer::from_iter([
        ("PaginationToken".to_owned(), Value::from(token)),
        ("ResourceTagMappingList".to_owned(), Value::Array(items)),
    ]))
}

fn has(meta: &Meta, filter: &Members<'_>) -> bool {
    let values = filter.texts("TagValue");
    let value = meta.tags.get(&filter.text("TagKey").unwrap_or_default());
    value.is_some_and(|value| values.is_empty() || values.contains(value))
}

fn mapping(account: &str, kind: Kind, meta: &Meta) -> Value {
    let tag =
        |(key, value): (&String, &String)| json!({"TagKey": key, "TagValue": value, "Category": "Custom"});
    let tags: Vec<Value> = meta.tags.iter().map(tag).collect();
    let resource = description::write(&meta.region, account, kind, &meta.external);
    json!({"Resource": resource, "Tags": tags})
}
