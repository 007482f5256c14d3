//! Tags: of new resources, as filters, and of the tag actions.

use causeway_dialect::Failure;
use causeway_model::Record;
use causeway_ops::Clause;
use serde_json::{Value, json};

use crate::params::Fields;

/// Tags of one request at most.
pub const TAGS_MAX: usize = 20;
/// Characters of a value.
const VALUE_CHARS_MAX: usize = 128;

/// Which family of codes an action refuses tags with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Codes {
    /// VPN actions: `InvalidParameter.TagKey`.
    Vpn,
    /// VPC actions and the tag actions: `InvalidTagKey`.
    Vpc,
}

impl Codes {
    /// Characters of a key: the pages of the VPN actions allow 64, those of the others 128.
    fn key_chars_max(self) -> usize {
        match self {
            Codes::Vpn => 64,
            Codes::Vpc => 128,
        }
    }

    fn key(self) -> Failure {
        match self {
            Codes::Vpn => bad("InvalidParameter.TagKey", "The specified parameter TagKey is invalid."),
            Codes::Vpc => bad("InvalidTagKey", "The tag keys are not valid."),
        }
    }

    fn value(self) -> Failure {
        match self {
            Codes::Vpn => bad("InvalidParameter.TagValue", "The specified parameter TagValue is invalid."),
            Codes::Vpc => bad("InvalidTagValue", "The tag values are not valid."),
        }
    }

    fn duplicate(self) -> Failure {
        match self {
            Codes::Vpn => bad("Duplicated.TagKey", "The specified parameter TagKey is duplicated."),
            Codes::Vpc => bad("Forbidden.TagKey.Duplicated", "The specified tag key already exists."),
        }
    }
}

fn bad(code: &str, message: &str) -> Failure {
    Failure::new(400, code, message)
}

/// More tags than a request or a resource may have.
pub fn too_many() -> Failure {
    bad("SizeLimitExceeded.TagNum", "The maximum number of tags is exceeded.")
}

fn is_refused(text: &str) -> bool {
    if text.contains(char::is_control) {
        return true;
    }
    let lower = text.to_lowercase();
    lower.starts_with("aliyun")
        || lower.starts_with("acs:")
        || lower.contains("http://")
        || lower.contains("https://")
}

/// Checks a key.
///
/// # Errors
/// That of the family of codes.
pub fn check_key(key: &str, codes: Codes) -> Result<(), Failure> {
    let count = key.chars().count();
    if count == 0 || count > codes.key_chars_max() || is_refused(key) { Err(codes.key()) } else { Ok(()) }
}

fn read(fields: &Fields<'_>, name: &str, codes: Codes) -> Result<Vec<(String, Option<String>)>, Failure> {
    let items = fields.objects(name)?;
    if items.len() > TAGS_MAX {
        return Err(too_many());
    }
    let mut tags: Vec<(String, Option<String>)> = Vec::new();
    for item in items {
        let key = item.text("Key").unwrap_or_default();
        check_key(&key, codes)?;
        let value = item.value("Value").and_then(causeway_dialect::params::scalar_text);
        if value.as_ref().is_some_and(|value| value.chars().count() > VALUE_CHARS_MAX || is_refused(value)) {
            return Err(codes.value());
        }
        if tags.iter().any(|(known, _)| *known == key) {
            return Err(codes.duplicate());
        }
        tags.push((key, value));
    }
    Ok(tags)
}

/// The tags of a new resource, from `Tags` or `Tag`: the VPN actions name the list in the plural, the VPC
/// actions in the singular.
///
/// # Errors
/// Those of the family of codes.
pub fn of_new(fields: &Fields<'_>, codes: Codes) -> Result<Vec<(String, String)>, Failure> {
    let name = if fields.value("Tags").is_some() { "Tags" } else { "Tag" };
    let tags = read(fields, name, codes)?;
    Ok(tags.into_iter().map(|(key, value)| (key, value.unwrap_or_default())).collect())
}

/// The filter that `Tag` asks for: every key is there, with its value where one is given.
///
/// # Errors
/// Those of the family of codes.
pub fn filter(fields: &Fields<'_>, codes: Codes) -> Result<Option<Clause>, Failure> {
    let wanted = read(fields, "Tag", codes)?;
    if wanted.is_empty() {
        return Ok(None);
    }
    Ok(Some(Clause::test(move |_, record| has_all(record, &wanted))))
}

fn has_all(record: &Record, wanted: &[(String, Option<String>)]) -> bool {
    let Some(meta) = record.meta() else { return false };
    wanted.iter().all(|(key, value)| {
        meta.tags.get(key).is_some_and(|found| match value.as_deref() {
            None | Some("") => true,
            Some(value) => found == value,
        })
    })
}

/// A resource's tags as the answers show them.
pub fn shown(meta: &causeway_model::Meta) -> Value {
    let tags: Vec<Value> = meta.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    json!({"Tag": tags})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: Value, codes: Codes) -> Result<Vec<(String, String)>, Failure> {
        let members = value.as_object().cloned().unwrap();
        of_new(&Fields::of_members(&members), codes)
    }

    #[test]
    fn tags_of_a_new_resource() {
        let tags = of(json!({"Tags": [{"Key": "a", "Value": "1"}, {"Key": "b"}]}), Codes::Vpn).unwrap();
        assert_eq!(tags, [("a".into(), "1".into()), ("b".into(), String::new())]);
        assert_eq!(of(json!({"Tag": [{"Key": "a"}]}), Codes::Vpc).unwrap().len(), 1);
    }

    #[test]
    fn each_rule_has_its_code() {
        let long = "x".repeat(129);
        let cases = [
            (json!([{"Key": "acs:a"}]), "InvalidParameter.TagKey", "InvalidTagKey"),
            (json!([{"Key": ""}]), "InvalidParameter.TagKey", "InvalidTagKey"),
            (json!([{"Key": "http://a"}]), "InvalidParameter.TagKey", "InvalidTagKey"),
            (json!([{"Key": "a\nb"}]), "InvalidParameter.TagKey", "InvalidTagKey"),
            (json!([{"Key": "a", "Value": "\u{0}"}]), "InvalidParameter.TagValue", "InvalidTagValue"),
            (json!([{"Key": long}]), "InvalidParameter.TagKey", "InvalidTagKey"),
            (json!([{"Key": "a", "Value": "aliyun"}]), "InvalidParameter.TagValue", "InvalidTagValue"),
            (json!([{"Key": "a"}, {"Key": "a"}]), "Duplicated.TagKey", "Forbidden.TagKey.Duplicated"),
        ];
        for (tags, vpn, vpc) in cases {
            assert_eq!(of(json!({"Tags": tags}), Codes::Vpn).unwrap_err().code, vpn);
            assert_eq!(of(json!({"Tag": tags}), Codes::Vpc).unwrap_err().code, vpc);
        }
        let key = |count: usize| json!([{"Key": "网".repeat(count)}]);
        assert_eq!(of(json!({"Tags": key(64)}), Codes::Vpn).unwrap().len(), 1);
        assert_eq!(of(json!({"Tags": key(65)}), Codes::Vpn).unwrap_err().code, "InvalidParameter.TagKey");
        assert_eq!(of(json!({"Tag": key(128)}), Codes::Vpc).unwrap().len(), 1);
        let many: Vec<Value> = (0..21).map(|n| json!({"Key": format!("k{n}")})).collect();
        assert_eq!(of(json!({"Tags": many}), Codes::Vpn).unwrap_err().code, "SizeLimitExceeded.TagNum");
    }
}
