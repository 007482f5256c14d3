//! The actions of the tag service that change the tags of resources by their descriptions: TagResources,
//! UnTagResources, ModifyResourceTags, AddResourceTag, UpdateResourceTagValue and DeleteResourceTag.

use causeway_dialect::EncodeContext;
use causeway_ops::{Operation, Outcome};
use serde_json::json;

use crate::action::{self, Action, Answer, Input};
use crate::refusal::Refusal;
use crate::tagging::{description, read};

/// Adds tags to several resources.
pub const TAG: Action =
    Action { service: "tag", name: "TagResources", decode: decode_tag, encode: encode_failed };
/// Removes tags from several resources.
pub const UNTAG: Action =
    Action { service: "tag", name: "UnTagResources", decode: decode_untag, encode: encode_failed };
/// Replaces and removes tags of one resource.
pub const MODIFY: Action =
    Action { service: "tag", name: "ModifyResourceTags", decode: decode_modify, encode: action::done };
/// Adds a tag to one resource.
pub const ADD: Action =
    Action { service: "tag", name: "AddResourceTag", decode: decode_one, encode: action::done };
/// Changes a tag of one resource.
pub const UPDATE: Action =
    Action { service: "tag", name: "UpdateResourceTagValue", decode: decode_one, encode: action::done };
/// Removes a tag from one resource.
pub const DELETE: Action =
    Action { service: "tag", name: "DeleteResourceTag", decode: decode_delete, encode: action::done };

fn decode_tag(input: &Input<'_>) -> Result<Operation, Refusal> {
    let members = input.members();
    let put = read::tags(&members.structures("Tags"))?;
    description::change(input, &members.texts("ResourceList"), put, Vec::new())
}

fn decode_untag(input: &Input<'_>) -> Result<Operation, Refusal> {
    let members = input.members();
    let remove = read::keys(&members.texts("TagKeys"))?;
    description::change(input, &members.texts("ResourceList"), Vec::new(), remove)
}

fn decode_modify(input: &Input<'_>) -> Result<Operation, Refusal> {
    let members = input.members();
    let resource = members.required("Resource")?;
    for name in ["ReplaceTags", "DeleteTags"] {
        if members.has(name) && members.structures(name).is_empty() {
            return Err(Refusal::value_as("InvalidParameter.Tag", name, "[]"));
        }
    }
    let put = read::tags(&members.structures("ReplaceTags"))?;
    let keys: Vec<String> =
        members.structures("DeleteTags").iter().map(|it| it.text("TagKey").unwrap_or_default()).collect();
    let remove = read::keys(&keys)?;
    if put.is_empty() && remove.is_empty() {
        return Err(Refusal::missing("ReplaceTags"));
    }
    if let Some((key, _)) = put.iter().find(|(key, _)| remove.contains(key)) {
        return Err(Refusal::value_as("InvalidParameterValue.DeleteTagsParamError", "DeleteTags", key));
    }
    description::change(input, &[resource], put, remove)
}

fn decode_one(input: &Input<'_>) -> Result<Operation, Refusal> {
    let members = input.members();
    description::change(input, &[members.required("Resource")?], vec![read::tag(&members)?], Vec::new())
}

fn decode_delete(input: &Input<'_>) -> Result<Operation, Refusal> {
    let members = input.members();
    let key = read::key(&members.text("TagKey").unwrap_or_default())?;
    description::change(input, &[members.required("Resource")?], Vec::new(), vec![key])
}

/// Tags change for all resources or for none, so that none of them can have failed.
fn encode_failed(_: &Outcome, _: &EncodeContext<'_>) -> Result<Answer, Refusal> {
    Ok(action::one("FailedResources", json!([])))
}

#[cfg(test)]
mod tests {
    use causeway_model::{Region, View};
    use causeway_ops::Operation;
    use serde_json::{Value, json};

    use crate::testing;

    fn described(view: &mut View) -> (String, Value) {
        let vpc = json!({"VpcName": "v", "CidrBlock": "10.0.0.0/16"});
        let vpc = testing::call(view, "vpc", "CreateVpc", vpc).unwrap();
        let id = vpc["Vpc"]["VpcId"].clone();
        (format!("qcs::vpc:ap-guangzhou:uin/:vpc/{}", id.as_str().unwrap()), id)
    }

    #[test]
    fn what_terraform_writes_is_what_it_reads() {
        let mut view = View::default();
        let (resource, id) = described(&mut view);
        let given = json!({"Resource": resource, "ReplaceTags": [{"TagKey": "a", "TagValue": "1"}, {"TagKey": "b", "TagValue": "2"}]});
        testing::call(&mut view, "tag", "ModifyResourceTags", given).unwrap();
        let given = json!({"Resource": resource, "ReplaceTags": [{"TagKey": "a", "TagValue": "3"}], "DeleteTags": [{"TagKey": "b"}]});
        testing::call(&mut view, "tag", "ModifyResourceTags", given).unwrap();
        let given = json!({"ServiceType": "vpc", "ResourcePrefix": "vpc", "ResourceRegion": "ap-guangzhou",
            "ResourceIds": [id], "Offset": 0, "Limit": 20});
        let found = testing::call(&mut view, "tag", "DescribeResourceTagsByResourceIds", given).unwrap();
        assert_eq!((&found["TotalCount"], &found["Limit"]), (&json!(1), &json!(20)));
        let tag = &found["Tags"][0];
        assert_eq!((&tag["TagKey"], &tag["TagValue"], &tag["ResourceId"]), (&json!("a"), &json!("3"), &id));
        // The resource's own service spells tags another way.
        let found = testing::call(&mut view, "vpc", "DescribeVpcs", json!({"VpcIds": [id]})).unwrap();
        assert_eq!(found["VpcSet"][0]["TagSet"], json!([{"Key": "a", "Value": "3"}]));
        let found = testing::call(&mut view, "tag", "GetResources", json!({"TagFilters": [{"TagKey": "a"}]}))
            .unwrap();
        assert_eq!(found["ResourceTagMappingList"].as_array().unwrap().len(), 1);
        let given = json!({"ResourceList": [resource], "TagKeys": ["a"]});
        let answer = testing::call(&mut view, "tag", "UnTagResources", given).unwrap();
        assert_eq!(answer, json!({"FailedResources": []}));
        let found = testing::call(&mut view, "tag", "GetResources", json!({})).unwrap();
        assert_eq!(found["ResourceTagMappingList"], json!([]));
    }

    #[test]
    fn one_call_changes_resources_of_several_regions() {
        let gateway = "qcs::vpc:ap-shanghai:uin/:vpngw/vpngw-abcdefgh";
        let network = "qcs::vpc:ap-guangzhou:uin/:vpc/vpc-abcdefgh";
        let given = json!({"ResourceList": [gateway, network], "TagKeys": ["a"]});
        let Ok(Operation::SetTags(it)) = testing::decode_in("tag", "UnTagResources", given) else {
            panic!("a change")
        };
        let regions: Vec<&str> = it.resources.iter().flat_map(|it| &it.region).map(Region::as_str).collect();
        assert_eq!(regions, ["ap-shanghai", "ap-guangzhou"]);
        let given = json!({"ResourceList": ["qcs::vpc:mars:uin/:vpc/vpc-abcdefgh"], "TagKeys": ["a"]});
        let refusal = testing::decode_in("tag", "UnTagResources", given).unwrap_err();
        assert_eq!(refusal.code, "InvalidParameterValue.RegionInvalid");
    }

    #[test]
    fn each_refusal_has_its_code() {
        let mut view = View::default();
        let (resource, _) = described(&mut view);
        let unknown = "qcs::vpc:ap-guangzhou:uin/:vpngw/vpngw-nothere1";
        let one = json!([{"TagKey": "a", "TagValue": "1"}]);
        let cases = [
            (json!({"Resource": resource}), "MissingParameter"),
            (json!({"Resource": resource, "ReplaceTags": []}), "InvalidParameter.Tag"),
            (
                json!({"Resource": unknown, "ReplaceTags": one}),
                "InvalidParameterValue.ResourceDescriptionError",
            ),
            (json!({"Resource": "x", "ReplaceTags": one}), "InvalidParameterValue.ResourceDescriptionError"),
            (
                json!({"Resource": resource, "ReplaceTags": one, "DeleteTags": [{"TagKey": "a"}]}),
                "InvalidParameterValue.DeleteTagsParamError",
            ),
            (
                json!({"Resource": resource, "ReplaceTags": [{"TagKey": "", "TagValue": ""}]}),
                "InvalidParameterValue.TagKeyEmpty",
            ),
            (json!({"Resource": resource, "ReplaceTags": [{"Key": "a", "Value": "1"}]}), "UnknownParameter"),
        ];
        for (given, code) in cases {
            let refusal = testing::call(&mut view, "tag", "ModifyResourceTags", given.clone());
            assert_eq!(refusal.expect_err("is refused").code, code, "{given}");
        }
    }
}
