//! Names and descriptions: the rules of each kind of resource.

use causeway_dialect::Failure;
use causeway_ops::operation::Label;
use serde_json::Value;

use crate::params::Fields;
use crate::tags::{self, Codes};

/// Characters of names and descriptions of VPN resources at most.
const VPN_CHARS_MAX: usize = 100;
/// Characters of names and descriptions of VPC resources at most.
const VPC_NAME_CHARS_MAX: usize = 128;
const VPC_DESCRIPTION_CHARS_MAX: usize = 256;

fn is_link(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}

/// Whether a text can be a name or description: not too long, no link, nothing that can't be seen. (The pages say
/// nothing of control characters; XML has no way to write them.)
fn fits(text: &str, most: usize) -> bool {
    text.chars().count() <= most && !is_link(text) && !text.contains(char::is_control)
}

/// Whether a text can name a gateway: 2 to 100 characters, first a letter, then letters, digits, `_`, `-`, `.`.
/// Chinese letters are letters too, as the older edition of the document has it.
pub fn is_gateway_name(name: &str) -> bool {
    let mut characters = name.chars();
    let starts_well = characters.next().is_some_and(char::is_alphabetic);
    let goes_on_well = characters.all(|it| it.is_alphanumeric() || matches!(it, '_' | '-' | '.'));
    starts_well && goes_on_well && fits(name, VPN_CHARS_MAX) && name.chars().count() >= 2
}

/// A gateway's name, checked.
///
/// # Errors
/// `InvalidName` with the message of the action.
pub fn gateway_name(fields: &Fields<'_>, message: &str) -> Result<Option<String>, Failure> {
    match fields.text("Name") {
        Some(name) if !is_gateway_name(&name) => Err(Failure::new(400, "InvalidName", message)),
        name => Ok(name),
    }
}

/// The message of most actions for a wrong name.
pub const NAME_MESSAGE: &str = "The name is not valid";

/// The name of a customer gateway or a connection: 1 to 100 characters, no link.
///
/// # Errors
/// The failure given.
pub fn plain_name(fields: &Fields<'_>, refusal: Failure) -> Result<Option<String>, Failure> {
    match fields.text("Name") {
        Some(name) if !fits(&name, VPN_CHARS_MAX) => Err(refusal),
        name => Ok(name),
    }
}

/// The description of a VPN resource.
///
/// # Errors
/// `InvalidDescription`.
pub fn description(fields: &Fields<'_>) -> Result<Option<String>, Failure> {
    match fields.text("Description") {
        Some(text) if !fits(&text, VPN_CHARS_MAX) => {
            Err(Failure::new(400, "InvalidDescription", "The description is not valid"))
        }
        text => Ok(text),
    }
}

fn is_emptied(fields: &Fields<'_>, parameter: &str) -> bool {
    fields.value(parameter).and_then(Value::as_str) == Some("")
}

/// The new description of a VPN resource: an empty one takes the old one away.
///
/// # Errors
/// `InvalidDescription`.
pub fn changed_description(fields: &Fields<'_>) -> Result<Option<String>, Failure> {
    if is_emptied(fields, "Description") { Ok(Some(String::new())) } else { description(fields) }
}

/// Name and description of a kind of VPC resource: the parameter of the name, and what is said of a bad one.
pub struct VpcTexts {
    pub name: &'static str,
    /// Code and text for a bad name, then for a bad description.
    pub refusals: [(&'static str, &'static str); 2],
}

impl VpcTexts {
    /// Name (at most 128 characters, no link) and description (256) of a new resource, empty where none is given.
    ///
    /// # Errors
    /// The refusals.
    pub fn of_new(&self, fields: &Fields<'_>) -> Result<(String, String), Failure> {
        let [bad_name, bad_description] = self.refusals;
        let name = vpc_text(fields.text(self.name), VPC_NAME_CHARS_MAX, bad_name)?;
        let description = vpc_text(fields.text("Description"), VPC_DESCRIPTION_CHARS_MAX, bad_description)?;
        Ok((name, description))
    }

    /// The same of a change: what is not given stays, and an empty description takes the old one away.
    ///
    /// # Errors
    /// The refusals.
    pub fn of_change(&self, fields: &Fields<'_>) -> Result<(Option<String>, Option<String>), Failure> {
        let (name, description) = self.of_new(fields)?;
        let has_name = fields.text(self.name).is_some();
        let has_description = fields.text("Description").is_some() || is_emptied(fields, "Description");
        Ok((has_name.then_some(name), has_description.then_some(description)))
    }
}

fn vpc_text(text: Option<String>, most: usize, bad: (&str, &str)) -> Result<String, Failure> {
    let text = text.unwrap_or_default();
    if fits(&text, most) { Ok(text) } else { Err(Failure::new(400, bad.0, bad.1)) }
}

/// The label of a new resource.
///
/// # Errors
/// Those of its tags.
pub fn label(
    fields: &Fields<'_>,
    name: String,
    description: String,
    codes: Codes,
    facet: String,
) -> Result<Label, Failure> {
    Ok(Label {
        name,
        description,
        resource_group: fields.text("ResourceGroupId"),
        tags: tags::of_new(fields, codes)?,
        facet,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_unseen_is_in_a_name() {
        for text in ["a\u{0}", "a\nb", "\u{1b}[31m"] {
            assert!(!fits(text, 100), "{text:?}");
        }
        assert!(fits("网关 – \"1\"", 100));
    }

    #[test]
    fn gateway_names() {
        for good in ["MYVPN", "ab", "a_b-c.d9", "中文网关", "网关a1"] {
            assert!(is_gateway_name(good), "{good}");
        }
        let long = "a".repeat(101);
        for wrong in ["a", "1ab", "_ab", "a b", "http://ab", "a*b", long.as_str(), ""] {
            assert!(!is_gateway_name(wrong), "{wrong}");
        }
        assert!(is_gateway_name(&"a".repeat(100)));
    }
}
