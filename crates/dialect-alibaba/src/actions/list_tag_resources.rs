//! ListTagResources: one line for each tag of each resource.

use causeway_dialect::{EncodeContext, Failure};
use causeway_model::limits::PAGE_ITEMS_MAX;
use causeway_ops::{Clause, Operation, Outcome};
use serde_json::{Value, json};

use crate::action::{Action, Input};
use crate::params::Fields;
use crate::resource_types;
use crate::selects::{List, found};
use crate::tags::{self, Codes};

pub const ACTION: Action = Action { service: "vpc", name: "ListTagResources", decode, encode };

/// Lines of a page.
const PAGE_SIZE: u32 = 50;

/// A token is the number of lines before its page.
fn offset(fields: &Fields<'_>) -> Result<usize, Failure> {
    let Some(text) = fields.text("NextToken") else { return Ok(0) };
    text.parse().map_err(|_| {
        Failure::new(400, "IllegalParam.NextToken", format!("The specified next token ({text}) is invalid."))
    })
}

fn page_size(fields: &Fields<'_>) -> Result<u32, Failure> {
    Ok(fields.integer_within("MaxResults", 1, PAGE_SIZE)?.unwrap_or(PAGE_SIZE))
}

fn decode(input: &Input<'_>) -> Result<Operation, Failure> {
    let fields = &input.fields;
    let kind = resource_types::read(fields)?;
    let ids = resource_types::ids(fields)?;
    let filter = tags::filter(fields, Codes::Vpc)?;
    offset(fields)?;
    page_size(fields)?;
    if ids.is_empty() && filter.is_none() {
        let message = "The specified Tags and ResourcesIds are not allow to both empty.";
        return Err(Failure::new(400, "BothEmpty.TagsAndResources", message));
    }
    let ids = (!ids.is_empty()).then(|| Clause::Ids(ids.into_iter().map(Into::into).collect()));
    Ok(List::of(kind).with(ids).with(filter).slice(0, PAGE_ITEMS_MAX))
}

fn encode(outcome: &Outcome, context: &EncodeContext<'_>) -> Value {
    let fields = Fields::of(&context.envelope.params);
    // The type is shown as it was asked for: Terraform compares it.
    let kind = fields.text("ResourceType").unwrap_or_default();
    let metas = found(outcome).0.iter().filter_map(|record| record.meta());
    let lines: Vec<Value> = metas
        .flat_map(|meta| meta.tags.iter().map(move |tag| (meta, tag)))
        .map(|(meta, (key, value))| {
            json!({"ResourceId": meta.external, "ResourceType": kind, "TagKey": key, "TagValue": value})
        })
        .collect();
    let first = offset(&fields).unwrap_or(0);
    let size = page_size(&fields).unwrap_or(PAGE_SIZE) as usize;
    let next = first.saturating_add(size);
    let token = if next < lines.len() { next.to_string() } else { String::new() };
    let shown: Vec<Value> = lines.into_iter().skip(first).take(size).collect();
    json!({"NextToken": token, "TagResources": {"TagResource": shown}})
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn lines_page_by_page() {
        let mut world = World::new();
        let id =
            world.made("CreateVpc", &[("Tag.1.Key", "a"), ("Tag.2.Key", "b"), ("Tag.3.Key", "c")], "VpcId");
        let base = [("ResourceType", "Vpc"), ("ResourceId.1", id.as_str()), ("MaxResults", "2")];
        let first = world.ok("ListTagResources", &base);
        assert_eq!(first["TagResources"]["TagResource"].as_array().unwrap().len(), 2);
        assert_eq!(first["TagResources"]["TagResource"][0]["ResourceType"], "Vpc");
        assert_eq!(first["NextToken"], "2");
        let second = world.ok("ListTagResources", &[&base[..], &[("NextToken", "2")]].concat());
        assert_eq!(second["TagResources"]["TagResource"][0]["TagKey"], "c");
        assert_eq!(second["NextToken"], "");
        let by_tag = world.ok("ListTagResources", &[("ResourceType", "VPC"), ("Tag.1.Key", "a")]);
        assert_eq!(by_tag["TagResources"]["TagResource"].as_array().unwrap().len(), 3);
        assert_eq!(world.code("ListTagResources", &[("ResourceType", "VPC")]), "BothEmpty.TagsAndResources");
        let wrong = [("ResourceType", "VPC"), ("Tag.1.Key", "a"), ("NextToken", "x")];
        assert_eq!(world.code("ListTagResources", &wrong), "IllegalParam.NextToken");
    }
}
