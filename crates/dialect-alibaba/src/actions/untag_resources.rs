//! UnTagResources. `All` counts only when no key is named.

use causeway_dialect::{EncodeContext, Failure};
use causeway_ops::operation::SetTags;
use causeway_ops::{Operation, Outcome};
use serde_json::{Value, json};

use crate::action::{Action, Input};
use crate::resource_types;
use crate::tags::{self, Codes, TAGS_MAX};

pub const ACTION: Action = Action { service: "vpc", name: "UnTagResources", decode, encode };

fn decode(input: &Input<'_>) -> Result<Operation, Failure> {
    let fields = &input.fields;
    let kind = resource_types::read(fields)?;
    let ids = resource_types::ids(fields)?;
    let keys = fields.texts("TagKey")?;
    if keys.len() > TAGS_MAX {
        return Err(tags::too_many());
    }
    for key in &keys {
        tags::check_key(key, Codes::Vpc)?;
    }
    let remove_all = keys.is_empty() && fields.boolean("All")?.unwrap_or(false);
    Ok(Operation::SetTags(SetTags {
        resources: resource_types::tagged(kind, ids),
        put: Vec::new(),
        remove: keys,
        remove_all,
    }))
}

fn encode(_: &Outcome, _: &EncodeContext<'_>) -> Value {
    json!({})
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn one_key_or_all() {
        let mut world = World::new();
        let pairs = [("Tag.1.Key", "a"), ("Tag.2.Key", "b"), ("Tag.3.Key", "c")];
        let id = world.made("CreateVpc", &pairs, "VpcId");
        let base = [("ResourceType", "VPC"), ("ResourceId.1", id.as_str())];
        let mut left = |pairs: &[(&'static str, &'static str)]| {
            world.ok("UnTagResources", &[&base[..], pairs].concat());
            let shown = world.ok("DescribeVpcAttribute", &[("VpcId", &id)]);
            shown["Tags"]["Tag"].as_array().unwrap().len()
        };
        assert_eq!(left(&[]), 3);
        assert_eq!(left(&[("TagKey.1", "a"), ("All", "true")]), 2);
        assert_eq!(left(&[("All", "True")]), 0);
    }
}
