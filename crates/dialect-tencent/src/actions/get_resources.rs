//! GetResources of the tag service: resources with their tags, by descriptions or by tags.

use causeway_dialect::EncodeContext;
use causeway_model::{Kind, Meta};
use causeway_ops::{Operation, Outcome, Query};
use serde_json::{Value, json};

use crate::action::{Action, Answer, Input};
use crate::paging::{self, ByToken};
use crate::params::Members;
use crate::refusal::Refusal;
use crate::tagging::{description, owned};

/// See the module.
pub const ACTION: Action = Action { service: "tag", name: "GetResources", decode, encode };

const BY_TOKEN: ByToken = ByToken {
    token: "PaginationToken",
    malformed: "InvalidParameter.PaginationTokenInvalid",
    out_of_bounds: "InvalidParameter",
    default: 50,
    max: 200,
};
const FILTERS_MAX: usize = 6;

fn decode(input: &Input<'_>) -> Result<Operation, Refusal> {
    let members = input.members();
    BY_TOKEN.read(&members)?;
    if members.structures("TagFilters").len() > FILTERS_MAX {
        return Err(Refusal::value_as("LimitExceeded.TagNumPerRequest", "TagFilters", FILTERS_MAX));
    }
    for text in members.texts("ResourceList") {
        description::parse(&text, input.context.account.as_str())?;
    }
    Ok(Operation::Read(Query::Settings))
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
        .filter(|(_, meta)| filters.iter().all(|filter| owned::has(meta, filter)))
        .map(|(kind, meta)| mapping(account, kind, meta))
        .collect();
    let (start, limit) = BY_TOKEN.read(&members)?;
    let token = paging::next(start, limit, found.len());
    let items: Vec<Value> = found.into_iter().skip(start).take(limit).collect();
    Ok(Answer::from_iter([
        ("PaginationToken".to_owned(), Value::from(token)),
        ("ResourceTagMappingList".to_owned(), Value::Array(items)),
    ]))
}

fn mapping(account: &str, kind: Kind, meta: &Meta) -> Value {
    let resource = description::write(&meta.region, account, kind, &meta.external);
    json!({"Resource": resource, "Tags": owned::tags(meta)})
}
