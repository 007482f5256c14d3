//! Tags as the tag service takes them: `TagKey` and `TagValue`.

use crate::params::Members;
use crate::refusal::Refusal;

const KEY_CHARS_MAX: usize = 127;
const VALUE_CHARS_MAX: usize = 255;
/// Tags of one call at most.
const TAGS_MAX: usize = 10;

/// One tag of a structure or of the parameters.
///
/// # Errors
/// The refusals of keys and values.
pub fn tag(members: &Members<'_>) -> Result<(String, String), Refusal> {
    let key = key(&members.text("TagKey").unwrap_or_default())?;
    let value = members.text("TagValue").unwrap_or_default();
    if value.chars().count() > VALUE_CHARS_MAX {
        return Err(Refusal::value_as("InvalidParameterValue.TagValueLengthExceeded", "TagValue", value));
    }
    if value.chars().any(char::is_control) {
        return Err(Refusal::value_as("InvalidParameterValue.TagValueCharacterIllegal", "TagValue", value));
    }
    Ok((key, value))
}

/// A key.
///
/// # Errors
/// The refusals of keys.
pub fn key(text: &str) -> Result<String, Refusal> {
    let lower = text.to_ascii_lowercase();
    let code = if text.is_empty() {
        "InvalidParameterValue.TagKeyEmpty"
    } else if text.chars().count() > KEY_CHARS_MAX {
        "InvalidParameterValue.TagKeyLengthExceeded"
    } else if text.chars().any(char::is_control) {
        "InvalidParameterValue.TagKeyCharacterIllegal"
    } else if lower.starts_with("qcloud") || lower.starts_with("tencent") {
        "InvalidParameter.ReservedTagKey"
    } else {
        return Ok(text.to_owned());
    };
    Err(Refusal::value_as(code, "TagKey", text))
}

/// A list of tags with different keys.
///
/// # Errors
/// Those of [`tag`], `InvalidParameterValue.TagKeyDuplicate`, `LimitExceeded.TagNumPerRequest`.
pub fn tags(items: &[Members<'_>]) -> Result<Vec<(String, String)>, Refusal> {
    check_count(items.len())?;
    let mut tags: Vec<(String, String)> = Vec::new();
    for item in items {
        let tag = tag(item)?;
        if tags.iter().any(|(known, _)| *known == tag.0) {
            return Err(Refusal::value_as("InvalidParameterValue.TagKeyDuplicate", "TagKey", tag.0));
        }
        tags.push(tag);
    }
    Ok(tags)
}

/// A list of keys.
///
/// # Errors
/// Those of [`key`], and `LimitExceeded.TagNumPerRequest`.
pub fn keys(texts: &[String]) -> Result<Vec<String>, Refusal> {
    check_count(texts.len())?;
    texts.iter().map(|text| key(text)).collect()
}

/// Checks how many tags a call names.
///
/// # Errors
/// `LimitExceeded.TagNumPerRequest`.
pub fn check_count(count: usize) -> Result<(), Refusal> {
    if count <= TAGS_MAX {
        return Ok(());
    }
    Err(Refusal::new(
        "LimitExceeded.TagNumPerRequest",
        format!("The number of tags exceeds the limit `{TAGS_MAX}`."),
        format!("单次请求的标签数量超过上限`{TAGS_MAX}`。"),
    ))
}
