//! ListTagResources: one line for each tag of each resource.

use causeway_dialect::{EncodeContext, Failure};
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

/// Where a page begins: the place of its first resource, and the place of its first line among that resource's. A token
/// is both, with a point between them: a walk through many resources reads only those of its page.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Place {
    resource: usize,
    line: usize,
}

fn place(fields: &Fields<'_>) -> Result<Place, Failure> {
    let Some(text) = fields.text("NextToken") else { return Ok(Place::default()) };
    let read = || -> Option<Place> {
        let (resource, line) = text.split_once('.')?;
        Some(Place { resource: resource.parse().ok()?, line: line.parse().ok()? })
    };
    read().ok_or_else(|| {
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
    let first = place(fields)?;
    let lines = page_size(fields)? as usize;
    if ids.is_empty() && filter.is_none() {
        let message = "The specified Tags and ResourcesIds are not allow to both empty.";
        return Err(Failure::new(400, "BothEmpty.TagsAndResources", message));
    }
    let ids = (!ids.is_empty()).then(|| Clause::Ids(ids.into_iter().map(Into::into).collect()));
    // A resource that a tag was looked for by has a line at least, and ids are no more than IDS_MAX: so many resources
    // fill a page and show whether there is another.
    let resources = lines.max(resource_types::IDS_MAX) + 1;
    Ok(List::of(kind).with(ids).with(filter).slice(first.resource, resources))
}

fn encode(outcome: &Outcome, context: &EncodeContext<'_>) -> Value {
    let fields = Fields::of(&context.envelope.params);
    // The type is shown as it was asked for: Terraform compares it.
    let kind = fields.text("ResourceType").unwrap_or_default();
    let first = place(&fields).unwrap_or_default();
    let size = page_size(&fields).unwrap_or(PAGE_SIZE) as usize;
    let metas = found(outcome).0.iter().filter_map(|record| record.meta()).enumerate();
    let mut lines = metas
        .flat_map(|(ordinal, meta)| {
            let tags = meta.tags.iter().enumerate();
            tags.map(move |(line, tag)| {
                (Place { resource: first.resource.saturating_add(ordinal), line }, meta, tag)
            })
        })
        .filter(|(place, _, _)| place.resource > first.resource || place.line >= first.line)
        .map(|(place, meta, (key, value))| {
            let line =
                json!({"ResourceId": meta.external, "ResourceType": kind, "TagKey": key, "TagValue": value});
            (place, line)
        });
    let shown: Vec<Value> = lines.by_ref().take(size).map(|(_, line)| line).collect();
    let token =
        lines.next().map(|(place, _)| format!("{}.{}", place.resource, place.line)).unwrap_or_default();
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
        let token = first["NextToken"].as_str().unwrap();
        let second = world.ok("ListTagResources", &[&base[..], &[("NextToken", token)]].concat());
        assert_eq!(second["TagResources"]["TagResource"][0]["TagKey"], "c");
        assert_eq!(second["NextToken"], "");
        let by_tag = world.ok("ListTagResources", &[("ResourceType", "VPC"), ("Tag.1.Key", "a")]);
        assert_eq!(by_tag["TagResources"]["TagResource"].as_array().unwrap().len(), 3);
        assert_eq!(world.code("ListTagResources", &[("ResourceType", "VPC")]), "BothEmpty.TagsAndResources");
        let wrong = [("ResourceType", "VPC"), ("Tag.1.Key", "a"), ("NextToken", "x")];
        assert_eq!(world.code("ListTagResources", &wrong), "IllegalParam.NextToken");
    }

    #[test]
    fn no_resource_is_left_out_however_many_there_are() {
        let mut world = World::new();
        world.set(|_, account| {
            account.quotas.insert(causeway_ops::Quota::NetworksPerRegion, 2_000);
        });
        // More than a query gives at once, and every third has a second line.
        let mut wanted = 0;
        for number in 0..1_100 {
            let mut pairs = vec![("Tag.1.Key", "k")];
            if number % 3 == 0 {
                pairs.push(("Tag.2.Key", "m"));
            }
            wanted += pairs.len();
            world.ok("CreateVpc", &pairs);
        }
        let mut token = String::new();
        let mut seen = std::collections::BTreeSet::new();
        loop {
            let pairs = [("ResourceType", "VPC"), ("Tag.1.Key", "k"), ("NextToken", token.as_str())];
            let page = world.ok("ListTagResources", &pairs);
            for line in page["TagResources"]["TagResource"].as_array().unwrap() {
                assert!(seen.insert(format!("{} {}", line["ResourceId"], line["TagKey"])), "{line} again");
            }
            token = page["NextToken"].as_str().unwrap().to_owned();
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(seen.len(), wanted);
    }
}
