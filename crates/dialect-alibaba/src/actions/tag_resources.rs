//! TagResources.

use causeway_dialect::{EncodeContext, Failure};
use causeway_ops::operation::SetTags;
use causeway_ops::{Operation, Outcome};
use serde_json::{Value, json};

use crate::action::{Action, Input};
use crate::tags::{self, Codes};
use crate::{resource_types, tags::TAGS_MAX};

pub const ACTION: Action = Action { service: "vpc", name: "TagResources", decode, encode };

fn decode(input: &Input<'_>) -> Result<Operation, Failure> {
    let fields = &input.fields;
    let kind = resource_types::read(fields)?;
    let ids = resource_types::ids(fields)?;
    let items = fields.objects("Tag")?;
    if items.len() <= TAGS_MAX && items.iter().any(|item| item.text("Key").is_none()) {
        let message =
            "The input parameter TagKey that is mandatory for processing this request is not supplied.";
        return Err(Failure::new(400, "MissingParameter.TagKey", message));
    }
    Ok(Operation::SetTags(SetTags {
        resources: resource_types::tagged(kind, ids),
        put: tags::of_new(fields, Codes::Vpc)?,
        remove: Vec::new(),
        remove_all: false,
    }))
}

fn encode(_: &Outcome, _: &EncodeContext<'_>) -> Value {
    json!({})
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn tags_are_put_shown_and_limited() {
        let mut world = World::new();
        let id = world.customer_gateway("203.0.113.1");
        let base = [("ResourceType", "CUSTOMERGATEWAY"), ("ResourceId.1", id.as_str())];
        let tag = |pairs: &[(&'static str, &'static str)]| [&base[..], pairs].concat();
        world.ok("TagResources", &tag(&[("Tag.1.Key", "a"), ("Tag.1.Value", "1"), ("Tag.2.Key", "b")]));
        let shown = world.ok("DescribeCustomerGateway", &[("CustomerGatewayId", &id)]);
        assert_eq!(
            shown["Tags"]["Tag"],
            serde_json::json!([{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}])
        );
        assert_eq!(world.code("TagResources", &tag(&[("Tag.1.Value", "x")])), "MissingParameter.TagKey");
        assert_eq!(world.code("TagResources", &tag(&[("Tag.1.Key", "aliyun")])), "InvalidTagKey");
        assert_eq!(world.code("TagResources", &tag(&[])), "MissingTag");
    }

    #[test]
    fn unknown_types_and_resources_have_their_codes() {
        let mut world = World::new();
        let tag = ("Tag.1.Key", "a");
        let wrong_type = [("ResourceType", "ODD"), ("ResourceId.1", "x"), tag];
        assert_eq!(world.code("TagResources", &wrong_type), "InvalidInstanceType.NotFound");
        let unknown = [("ResourceType", "VpnGateWay"), ("ResourceId.1", "vpn-none"), tag];
        assert_eq!(world.code("TagResources", &unknown), "InvalidInstanceIds.NotFound");
        let names: Vec<String> = (1..=51).map(|n| format!("ResourceId.{n}")).collect();
        let mut many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x")).collect();
        many.extend([("ResourceType", "VPC"), tag]);
        assert_eq!(world.code("TagResources", &many), "SizeLimitExceeded.ResourceId");
    }
}
