//! The actions of the tag service that make and delete tags by themselves: CreateTag, CreateTags, DeleteTag and
//! DeleteTags.

use causeway_ops::Operation;

use crate::action::{self, Action, Input};
use crate::params::Members;
use crate::refusal::Refusal;
use crate::tagging::read;

/// Makes a tag.
pub const CREATE: Action = of("CreateTag", |input| Ok(Operation::CreateTags(vec![one(&input.members())?])));
/// Makes several tags.
pub const CREATE_ALL: Action = of("CreateTags", |input| Ok(Operation::CreateTags(several(input)?)));
/// Deletes a tag that no resource has.
pub const DELETE: Action = of("DeleteTag", |input| Ok(Operation::DeleteTags(vec![one(&input.members())?])));
/// Deletes several tags that no resource has.
pub const DELETE_ALL: Action = of("DeleteTags", |input| Ok(Operation::DeleteTags(several(input)?)));

const fn of(name: &'static str, decode: fn(&Input<'_>) -> Result<Operation, Refusal>) -> Action {
    Action { service: "tag", name, decode, encode: action::done }
}

/// A tag by itself has a value.
fn one(members: &Members<'_>) -> Result<(String, String), Refusal> {
    let (key, value) = read::tag(members)?;
    if value.is_empty() {
        return Err(Refusal::value_as("InvalidParameterValue.TagValueEmpty", "TagValue", value));
    }
    Ok((key, value))
}

fn several(input: &Input<'_>) -> Result<Vec<(String, String)>, Refusal> {
    let members = input.members();
    let tags = members.structures("Tags");
    if tags.is_empty() {
        return Err(Refusal::missing("Tags"));
    }
    read::check_count(tags.len())?;
    tags.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use causeway_model::View;
    use serde_json::{Value, json};

    use crate::testing;

    fn call(view: &mut View, action: &str, given: Value) -> Result<Value, &'static str> {
        testing::call(view, "tag", action, given).map_err(|refusal| refusal.code)
    }

    fn shown(view: &mut View) -> Vec<String> {
        let found = call(view, "DescribeTags", json!({})).unwrap();
        let text = |tag: &Value| format!("{} {} {}", tag["TagKey"], tag["TagValue"], tag["CanDelete"]);
        found["Tags"].as_array().unwrap().iter().map(text).collect()
    }

    #[test]
    fn a_tag_lives_by_itself_and_stays_while_a_resource_has_it() {
        let mut view = View::default();
        let tag = json!({"TagKey": "env", "TagValue": "test"});
        call(&mut view, "CreateTag", tag.clone()).unwrap();
        assert_eq!(call(&mut view, "CreateTag", tag.clone()), Err("ResourceInUse.TagDuplicate"));
        assert_eq!(shown(&mut view), [r#""env" "test" 1"#]);
        let vpc =
            json!({"VpcName": "v", "CidrBlock": "10.0.0.0/16", "Tags": [{"Key": "env", "Value": "test"}]});
        let vpc = testing::call(&mut view, "vpc", "CreateVpc", vpc).unwrap()["Vpc"]["VpcId"].clone();
        assert_eq!(shown(&mut view), [r#""env" "test" 0"#]);
        assert_eq!(call(&mut view, "DeleteTag", tag.clone()), Err("FailedOperation.TagAttachedResource"));
        let filters = json!({"TagFilters": [{"TagKey": "env", "TagValue": ["test"]}]});
        let found = call(&mut view, "DescribeResourcesByTags", filters.clone()).unwrap();
        assert_eq!(found["TotalCount"], 1);
        assert_eq!(
            (&found["Rows"][0]["ResourceId"], &found["Rows"][0]["ResourcePrefix"]),
            (&vpc, &json!("vpc"))
        );
        let keys = json!({"ServiceType": "vpc", "ResourcePrefix": "vpc", "ResourceRegion": "ap-guangzhou",
            "ResourceIds": [vpc], "TagKeys": ["env", "other"]});
        let found = call(&mut view, "DescribeResourceTagsByTagKeys", keys).unwrap();
        assert_eq!(
            found["Rows"],
            json!([{"ResourceId": vpc, "TagKeyValues": [{"TagKey": "env", "TagValue": "test", "Category": "Custom"}]}])
        );
        testing::call(&mut view, "vpc", "DeleteVpc", json!({"VpcId": vpc})).unwrap();
        let gone = view.records().find(|it| it.key().kind == causeway_model::Kind::Network).unwrap().key();
        view.apply(&[causeway_model::Write::Delete(gone)]);
        assert_eq!(call(&mut view, "DescribeResourcesByTags", filters).unwrap()["Rows"], json!([]));
        call(&mut view, "DeleteTag", tag.clone()).unwrap();
        assert_eq!(call(&mut view, "DeleteTag", tag), Err("ResourceNotFound.TagNonExist"));
        assert_eq!(shown(&mut view), [""; 0]);
    }

    #[test]
    fn several_are_made_and_deleted_all_or_none() {
        let mut view = View::default();
        let tags = |values: &[&str]| {
            let tags: Vec<Value> =
                values.iter().map(|value| json!({"TagKey": "k", "TagValue": value})).collect();
            json!({"Tags": tags})
        };
        call(&mut view, "CreateTags", tags(&["1", "2"])).unwrap();
        assert_eq!(call(&mut view, "CreateTags", tags(&["3", "2"])), Err("ResourceInUse.TagDuplicate"));
        assert_eq!(call(&mut view, "CreateTags", tags(&["3", "3"])), Err("ResourceInUse.TagDuplicate"));
        assert_eq!(call(&mut view, "DeleteTags", tags(&["1", "3"])), Err("ResourceNotFound.TagNonExist"));
        assert_eq!(shown(&mut view).len(), 2);
        call(&mut view, "DeleteTags", tags(&["1", "2"])).unwrap();
        assert_eq!(shown(&mut view), [""; 0]);
    }

    #[test]
    fn each_refusal_has_its_code() {
        let mut view = View::default();
        for (given, code) in [
            (json!({"TagKey": "", "TagValue": "v"}), "InvalidParameterValue.TagKeyEmpty"),
            (json!({"TagKey": "k", "TagValue": ""}), "InvalidParameterValue.TagValueEmpty"),
            (
                json!({"TagKey": "k".repeat(128), "TagValue": "v"}),
                "InvalidParameterValue.TagKeyLengthExceeded",
            ),
            (json!({"TagKey": "qcloud", "TagValue": "v"}), "InvalidParameter.ReservedTagKey"),
        ] {
            assert_eq!(call(&mut view, "CreateTag", given.clone()), Err(code), "{given}");
        }
        assert_eq!(call(&mut view, "CreateTags", json!({})), Err("MissingParameter"));
    }
}
