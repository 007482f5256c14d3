//! Typed readings of parameters, with the API's refusals. Unknown names and wrong types were refused before, by
//! [`crate::check`].

use std::net::Ipv4Addr;
use std::ops::RangeInclusive;

use causeway_dialect::Params;
use causeway_dialect::params::scalar_text;
use causeway_model::{ExternalId, Kind};
use ipnet::Ipv4Net;
use serde_json::{Map, Value};

use crate::ids;
use crate::refusal::Refusal;

/// The longest tag key.
const TAG_KEY_CHARS_MAX: usize = 127;
/// The longest tag value.
const TAG_VALUE_CHARS_MAX: usize = 255;

/// The members of the parameters, or of a structure in them.
#[derive(Clone, Debug)]
pub struct Members<'a> {
    map: &'a Map<String, Value>,
    path: String,
}

impl<'a> Members<'a> {
    /// The parameters of a request.
    pub fn new(params: &'a Params) -> Self {
        Self { map: &params.0, path: String::new() }
    }

    /// The full name of a member, as messages give it.
    pub fn path(&self, name: &str) -> String {
        format!("{}{name}", self.path)
    }

    fn get(&self, name: &str) -> Option<&'a Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }

    /// Whether a member was given, even as an empty text.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// A text; an empty one counts as absent, because clients send those for what their user left out.
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).and_then(scalar_text).filter(|text| !text.is_empty())
    }

    /// A text that must be given.
    ///
    /// # Errors
    /// `MissingParameter` when it is absent, `InvalidParameterValue.Empty` when it is empty.
    pub fn required(&self, name: &str) -> Result<String, Refusal> {
        match self.text(name) {
            Some(text) => Ok(text),
            None if self.has(name) => Err(Refusal::empty(&self.path(name))),
            None => Err(Refusal::missing(&self.path(name))),
        }
    }

    /// A required text without control characters, which no name has and which break what it is printed in.
    fn visible(&self, name: &str) -> Result<String, Refusal> {
        let text = self.required(name)?;
        if text.contains(char::is_control) {
            return Err(Refusal::malformed(MALFORMED, &self.path(name), &text));
        }
        Ok(text)
    }

    /// A required name of at most `limit` bytes.
    ///
    /// # Errors
    /// Those of [`Members::required`], `InvalidParameterValue.Malformed` and `InvalidParameterValue.TooLong`.
    pub fn name_bytes(&self, name: &str, limit: usize) -> Result<String, Refusal> {
        let text = self.visible(name)?;
        if text.len() > limit { Err(Refusal::too_long(&self.path(name), limit)) } else { Ok(text) }
    }

    /// A required name of at most `limit` characters.
    ///
    /// # Errors
    /// Those of [`Members::required`], `InvalidParameterValue.Malformed` and `InvalidParameterValue.TooLong`.
    pub fn name_chars(&self, name: &str, limit: usize) -> Result<String, Refusal> {
        let text = self.visible(name)?;
        if text.chars().count() > limit { Err(Refusal::too_long(&self.path(name), limit)) } else { Ok(text) }
    }

    /// One of a set of words.
    ///
    /// # Errors
    /// `InvalidParameterValue`.
    pub fn word(&self, name: &str, words: &[&'static str]) -> Result<Option<&'static str>, Refusal> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match words.iter().find(|word| **word == text) {
            Some(word) => Ok(Some(*word)),
            None => Err(Refusal::value(&self.path(name), text)),
        }
    }

    /// An integer.
    ///
    /// # Errors
    /// `InvalidParameterValue` when it does not fit.
    pub fn integer(&self, name: &str) -> Result<Option<i64>, Refusal> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let number = match value {
            Value::String(text) => text.trim().parse().ok(),
            other => other.as_i64(),
        };
        match number {
            Some(number) => Ok(Some(number)),
            None => Err(Refusal::value(&self.path(name), scalar_text(value).unwrap_or_default())),
        }
    }

    /// An integer within bounds.
    ///
    /// # Errors
    /// `code` outside of them.
    pub fn integer_in(
        &self,
        name: &str,
        range: RangeInclusive<i64>,
        code: &'static str,
    ) -> Result<Option<i64>, Refusal> {
        match self.integer(name)? {
            Some(number) if !range.contains(&number) => {
                Err(Refusal::value_as(code, &self.path(name), number))
            }
            other => Ok(other),
        }
    }

    /// One of a set of integers.
    ///
    /// # Errors
    /// `InvalidParameterValue`.
    pub fn integer_of(&self, name: &str, allowed: &[i64]) -> Result<Option<i64>, Refusal> {
        match self.integer(name)? {
            Some(number) if !allowed.contains(&number) => Err(Refusal::value(&self.path(name), number)),
            other => Ok(other),
        }
    }

    /// A truth value.
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.get(name).and_then(Value::as_bool)
    }

    /// A truth value that the API writes as text: `true` or `false` in any case.
    ///
    /// # Errors
    /// `InvalidParameterValue`.
    pub fn flag_text(&self, name: &str) -> Result<Option<bool>, Refusal> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match text.to_ascii_lowercase().as_str() {
            "true" => Ok(Some(true)),
            "false" => Ok(Some(false)),
            _ => Err(Refusal::value(&self.path(name), text)),
        }
    }

    /// A list of texts; empty when absent.
    pub fn texts(&self, name: &str) -> Vec<String> {
        let items = self.get(name).and_then(Value::as_array);
        items.map(|items| items.iter().filter_map(scalar_text).collect()).unwrap_or_default()
    }

    /// A structure.
    pub fn structure(&self, name: &str) -> Option<Members<'a>> {
        let map = self.get(name)?.as_object()?;
        Some(Members { map, path: format!("{}{name}.", self.path) })
    }

    /// A list of structures; empty when absent.
    pub fn structures(&self, name: &str) -> Vec<Members<'a>> {
        let items = self.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let path = |place| format!("{}{name}.{place}.", self.path);
        let maps = items.iter().enumerate().filter_map(|(place, item)| Some((place, item.as_object()?)));
        maps.map(|(place, map)| Members { map, path: path(place) }).collect()
    }

    /// The id of a resource, if given.
    ///
    /// # Errors
    /// `code` when it has not the form of the kind's ids.
    pub fn id(&self, name: &str, kind: Kind, code: &'static str) -> Result<Option<ExternalId>, Refusal> {
        match self.text(name) {
            Some(text) if !ids::is_well_formed(&text, ids::prefix(kind)) => {
                Err(Refusal::malformed(code, &self.path(name), &text))
            }
            other => Ok(other.map(ExternalId::from)),
        }
    }

    /// The id of a resource that must be given.
    ///
    /// # Errors
    /// Those of [`Members::required`] and [`Members::id`].
    pub fn required_id(&self, name: &str, kind: Kind, code: &'static str) -> Result<ExternalId, Refusal> {
        self.required(name)?;
        match self.id(name, kind, code)? {
            Some(id) => Ok(id),
            None => Err(Refusal::missing(&self.path(name))),
        }
    }

    /// An IPv4 address.
    ///
    /// # Errors
    /// `InvalidParameterValue.Malformed`.
    pub fn ipv4(&self, name: &str) -> Result<Option<Ipv4Addr>, Refusal> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match text.parse() {
            Ok(ip) => Ok(Some(ip)),
            Err(_) => Err(Refusal::malformed(MALFORMED, &self.path(name), &text)),
        }
    }

    /// An IPv4 range.
    ///
    /// # Errors
    /// See [`cidr`].
    pub fn cidr(&self, name: &str) -> Result<Option<Ipv4Net>, Refusal> {
        self.text(name).map(|text| cidr(&text, &self.path(name))).transpose()
    }

    /// The inline tags of a new resource, from its `Tags`.
    ///
    /// # Errors
    /// The refusals of tags: doubled and malformed keys, malformed values.
    pub fn tags(&self) -> Result<Vec<(String, String)>, Refusal> {
        let mut tags: Vec<(String, String)> = Vec::new();
        for item in self.structures("Tags") {
            let key = item.text("Key").unwrap_or_default();
            let value = item.text("Value").unwrap_or_default();
            check_tag(&key, &value)?;
            if tags.iter().any(|(known, _)| *known == key) {
                return Err(Refusal::new(
                    "InvalidParameterValue.TagDuplicateKey",
                    format!("The tag key `{key}` is given more than once."),
                    format!("标签键`{key}`重复。"),
                ));
            }
            tags.push((key, value));
        }
        Ok(tags)
    }
}

/// The code of values of the wrong form, where no other is documented.
pub const MALFORMED: &str = "InvalidParameterValue.Malformed";

fn check_tag(key: &str, value: &str) -> Result<(), Refusal> {
    if key.is_empty() {
        return Err(Refusal::new(
            "InvalidParameterValue.TagInvalidKey",
            "The tag key is empty.",
            "标签键为空。",
        ));
    }
    if key.contains(char::is_control) {
        return Err(Refusal::new(
            "InvalidParameterValue.TagInvalidKey",
            "The tag key has control characters.",
            "标签键包含控制字符。",
        ));
    }
    if value.contains(char::is_control) {
        return Err(Refusal::new(
            "InvalidParameterValue.TagInvalidVal",
            "The tag value has control characters.",
            "标签值包含控制字符。",
        ));
    }
    if key.chars().count() > TAG_KEY_CHARS_MAX {
        return Err(Refusal::new(
            "InvalidParameterValue.TagInvalidKeyLen",
            format!("The tag key `{key}` is longer than `{TAG_KEY_CHARS_MAX}`."),
            format!("标签键`{key}`的长度超过`{TAG_KEY_CHARS_MAX}`。"),
        ));
    }
    if value.chars().count() > TAG_VALUE_CHARS_MAX {
        return Err(Refusal::new(
            "InvalidParameterValue.TagInvalidVal",
            format!("The tag value `{value}` is longer than `{TAG_VALUE_CHARS_MAX}`."),
            format!("标签值`{value}`的长度超过`{TAG_VALUE_CHARS_MAX}`。"),
        ));
    }
    if key.to_ascii_lowercase().starts_with("qcloud") || key.to_ascii_lowercase().starts_with("tencent") {
        return Err(Refusal::new(
            "UnsupportedOperation.TagSystemReservedTagKey",
            format!("The tag key `{key}` is reserved by the system."),
            format!("标签键`{key}`为系统预留。"),
        ));
    }
    Ok(())
}

/// Reads an IPv4 range whose address is the range's own, written without leading zeros, which some take for octal.
///
/// # Errors
/// `InvalidParameterValue.Malformed`.
pub fn cidr(text: &str, path: &str) -> Result<Ipv4Net, Refusal> {
    match text.parse::<Ipv4Net>() {
        Ok(net) if net.addr() == net.network() && net.to_string() == text => Ok(net),
        _ => Err(Refusal::malformed(MALFORMED, path, text)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn params(value: Value) -> Params {
        Params(value.as_object().cloned().unwrap_or_default())
    }

    #[test]
    fn empty_texts_count_as_absent_unless_required() {
        let params = params(json!({"A": "", "B": "x", "N": null}));
        let members = Members::new(&params);
        assert_eq!(members.text("A"), None);
        assert_eq!(members.required("A").expect_err("is empty").code, "InvalidParameterValue.Empty");
        assert_eq!(members.required("C").expect_err("is missing").code, "MissingParameter");
        assert_eq!(members.required("N").expect_err("is missing").code, "MissingParameter");
        assert_eq!(members.required("B").as_deref(), Ok("x"));
    }

    #[test]
    fn names_are_measured_in_bytes_or_characters() {
        let params = params(json!({"Name": "网".repeat(21), "Unseen": "a\nb"}));
        let members = Members::new(&params);
        assert_eq!(
            members.name_bytes("Name", 60).expect_err("63 bytes").code,
            "InvalidParameterValue.TooLong"
        );
        assert!(members.name_chars("Name", 60).is_ok());
        let unseen = members.name_chars("Unseen", 60).expect_err("a line break");
        assert_eq!(unseen.code, "InvalidParameterValue.Malformed");
    }

    #[test]
    fn values_outside_their_set_are_named_in_the_message() {
        let params = params(json!({"InternetMaxBandwidthOut": 7, "Type": "ipsec"}));
        let members = Members::new(&params);
        let refusal = members.integer_of("InternetMaxBandwidthOut", &[5, 10]).expect_err("7 is none");
        assert_eq!(
            refusal.en,
            "The value `7` specified in the parameter `InternetMaxBandwidthOut` is not valid."
        );
        assert!(members.word("Type", &["IPSEC"]).is_err());
    }

    #[test]
    fn ranges_need_their_own_address() {
        for (text, is_right) in [
            ("10.0.0.0/8", true),
            ("10.0.0.1/8", false),
            ("10.0.0.0", false),
            ("::/0", false),
            ("x", false),
            ("010.0.0.0/8", false),
            ("10.0.0.0/08", false),
        ] {
            assert_eq!(cidr(text, "CidrBlock").is_ok(), is_right, "{text}");
        }
    }

    #[test]
    fn tags_are_checked() {
        let cases = [
            (json!([{"Key": "a", "Value": "1"}, {"Key": "a"}]), "InvalidParameterValue.TagDuplicateKey"),
            (json!([{"Key": ""}]), "InvalidParameterValue.TagInvalidKey"),
            (json!([{"Key": "a\u{0}"}]), "InvalidParameterValue.TagInvalidKey"),
            (json!([{"Key": "a", "Value": "b\n"}]), "InvalidParameterValue.TagInvalidVal"),
            (json!([{"Key": "k".repeat(128)}]), "InvalidParameterValue.TagInvalidKeyLen"),
            (json!([{"Key": "k", "Value": "v".repeat(256)}]), "InvalidParameterValue.TagInvalidVal"),
            (json!([{"Key": "qcloud:x"}]), "UnsupportedOperation.TagSystemReservedTagKey"),
        ];
        for (tags, code) in cases {
            let params = params(json!({"Tags": tags}));
            assert_eq!(Members::new(&params).tags().expect_err("is refused").code, code);
        }
    }
}
