//! The tags in use, whatever resource has them: DescribeTags, GetTags, DescribeTagKeys, GetTagKeys,
//! DescribeTagValues and GetTagValues of the tag service.

use std::collections::BTreeSet;

use causeway_dialect::EncodeContext;
use causeway_ops::{Operation, Outcome, Query};
use serde_json::{Value, json};

use crate::action::{Action, Answer, Decoded, Input};
use crate::params::Members;
use crate::refusal::Refusal;
use crate::tagging::owned;

/// Keys and values, by page.
pub const TAGS: Action = action("DescribeTags", encode_tags);
/// Keys and values, by token.
pub const GET_TAGS: Action = action("GetTags", encode_tags);
/// Keys, by page.
pub const KEYS: Action = action("DescribeTagKeys", encode_keys);
/// Keys, by token.
pub const GET_KEYS: Action = action("GetTagKeys", encode_keys);
/// Values of some keys, by page.
pub const VALUES: Action = action("DescribeTagValues", encode_tags);
/// Values of some keys, by token.
pub const GET_VALUES: Action = action("GetTagValues", encode_tags);

type Encode = fn(&Outcome, &EncodeContext<'_>) -> Result<Answer, Refusal>;

const RESULTS_DEFAULT: i64 = 50;
const RESULTS_MAX: i64 = 1000;

const fn action(name: &'static str, encode: Encode) -> Action {
    Action { service: "tag", name, decode, encode }
}

fn decode(input: &Input<'_>) -> Result<Decoded, Refusal> {
    let members = input.members();
    owned::page(&members)?;
    token_page(&members)?;
    Ok(Operation::Read(Query::Settings).into())
}

fn token_page(members: &Members<'_>) -> Result<(usize, usize), Refusal> {
    let start = match members.text("PaginationToken") {
        None => 0,
        Some(token) => token.parse::<usize>().map_err(|_| {
            Refusal::value_as("InvalidParameter.PaginationTokenInvalid", "PaginationToken", &token)
        })?,
    };
    let limit = members.integer_in("MaxResults", 1..=RESULTS_MAX, "InvalidParameter")?;
    Ok((start, usize::try_from(limit.unwrap_or(RESULTS_DEFAULT)).unwrap_or_default()))
}

fn encode_tags(_: &Outcome, context: &EncodeContext<'_>) -> Result<Answer, Refusal> {
    let members = Members::new(&context.envelope.params);
    let keys = members.texts("TagKeys");
    let (key, value) = (members.text("TagKey"), members.text("TagValue"));
    let found = owned::tagged(context);
    let pairs: BTreeSet<(&String, &String)> = found
        .iter()
        .flat_map(|(_, meta)| &meta.tags)
        .filter(|(known, _)| keys.is_empty() || keys.contains(known))
        .filter(|(known, _)| key.as_ref().is_none_or(|key| key == *known))
        .filter(|(_, known)| value.as_ref().is_none_or(|value| value == *known))
        .collect();
    let shows_deletion = context.envelope.action == TAGS.name;
    let item = |(key, value): (&String, &String)| {
        let mut item = json!({"TagKey": key, "TagValue": value, "Category": "Custom"});
        if let (true, Some(members)) = (shows_deletion, item.as_object_mut()) {
            // A tag that a resource has can't be deleted.
            members.insert("CanDelete".to_owned(), Value::from(0));
        }
        item
    };
    answer(context, &members, "Tags", pairs.into_iter().map(item).collect())
}

fn encode_keys(_: &Outcome, context: &EncodeContext<'_>) -> Result<Answer, Refusal> {
    let members = Members::new(&context.envelope.params);
    let found = owned::tagged(context);
    let keys: BTreeSet<&String> = found.iter().flat_map(|(_, meta)| meta.tags.keys()).collect();
    let is_get = context.envelope.action == GET_KEYS.name;
    let name = if is_get { "TagKeys" } else { "Tags" };
    answer(context, &members, name, keys.into_iter().map(|key| Value::from(key.as_str())).collect())
}

/// A page: the newer actions go by token, the older ones by place.
fn answer(
    context: &EncodeContext<'_>,
    members: &Members<'_>,
    name: &str,
    items: Vec<Value>,
) -> Result<Answer, Refusal> {
    let total = items.len();
    let by_token = context.envelope.action.starts_with("Get");
    let (start, limit) = if by_token { token_page(members)? } else { owned::page(members)? };
    let page: Vec<Value> = items.into_iter().skip(start).take(limit).collect();
    let mut answer = Answer::new();
    if by_token {
        let end = start.saturating_add(limit);
        let token = if end < total { end.to_string() } else { String::new() };
        answer.insert("PaginationToken", token);
    } else {
        answer.insert("TotalCount", total);
        answer.insert("Offset", start);
        answer.insert("Limit", limit);
    }
    answer.insert(name, page);
    Ok(answer)
}
