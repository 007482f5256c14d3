//! The tags of the account, on whatever resource or by themselves: DescribeTags, GetTags, DescribeTagKeys, GetTagKeys,
//! DescribeTagValues and GetTagValues of the tag service.

use std::collections::BTreeSet;

use causeway_dialect::EncodeContext;
use causeway_ops::{Operation, Outcome, Query};
use serde_json::{Value, json};

use crate::action::{Action, Answer, Input};
use crate::paging::{self, ByToken};
use crate::params::Members;
use crate::refusal::Refusal;
use crate::tagging::{dictionary, owned};

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

const BY_TOKEN: ByToken = ByToken {
    token: "PaginationToken",
    malformed: "InvalidParameter.PaginationTokenInvalid",
    out_of_bounds: "InvalidParameter",
    default: 50,
    max: 1000,
};

const fn action(name: &'static str, encode: Encode) -> Action {
    Action { service: "tag", name, decode, encode }
}

fn decode(input: &Input<'_>) -> Result<Operation, Refusal> {
    let members = input.members();
    owned::page(&members)?;
    BY_TOKEN.read(&members)?;
    Ok(Operation::Read(Query::Settings))
}

fn encode_tags(_: &Outcome, context: &EncodeContext<'_>) -> Result<Answer, Refusal> {
    let members = Members::new(&context.envelope.params);
    let keys = members.texts("TagKeys");
    let (key, value) = (members.text("TagKey"), members.text("TagValue"));
    let used: BTreeSet<(&String, &String)> =
        owned::tagged(context).into_iter().flat_map(|(_, meta)| &meta.tags).collect();
    let pairs = dictionary::pairs(context, &members);
    let pairs = pairs
        .iter()
        .filter(|(known, _)| keys.is_empty() || keys.contains(known))
        .filter(|(known, _)| key.as_ref().is_none_or(|key| key == known))
        .filter(|(_, known)| value.as_ref().is_none_or(|value| value == known));
    let shows_deletion = context.envelope.action == TAGS.name;
    let item = |(key, value): &(String, String)| {
        let mut item = json!({"TagKey": key, "TagValue": value, "Category": "Custom"});
        if let (true, Some(members)) = (shows_deletion, item.as_object_mut()) {
            // A tag that a resource has can't be deleted.
            members.insert("CanDelete".to_owned(), u8::from(!used.contains(&(key, value))).into());
        }
        item
    };
    answer(context, &members, "Tags", pairs.map(item).collect())
}

fn encode_keys(_: &Outcome, context: &EncodeContext<'_>) -> Result<Answer, Refusal> {
    let members = Members::new(&context.envelope.params);
    let pairs = dictionary::pairs(context, &members);
    let keys: BTreeSet<&String> = pairs.iter().map(|(key, _)| key).collect();
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
    let (start, limit) = if by_token { BY_TOKEN.read(members)? } else { owned::page(members)? };
    let page: Vec<Value> = items.into_iter().skip(start).take(limit).collect();
    let mut answer = Answer::new();
    if by_token {
        answer.insert("PaginationToken", paging::next(start, limit, total));
    } else {
        answer.insert("TotalCount", total);
        answer.insert("Offset", start);
        answer.insert("Limit", limit);
    }
    answer.insert(name, page);
    Ok(answer)
}
