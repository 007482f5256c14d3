//! Typed reads of parameters, with the API's words for those that are missing or malformed.

use causeway_dialect::params::scalar_text;
use causeway_dialect::tree::read_object;
use causeway_dialect::{Failure, Params};
use causeway_model::ExternalId;
use serde_json::{Map, Value};

/// The gateway's refusal of a request without a parameter that the catalogue requires.
pub fn mandatory(name: &str) -> Failure {
    Failure::new(400, format!("Missing{name}"), format!("{name} is mandatory for this action."))
}

/// The backend's refusal of a request without a parameter that it needs in this case.
pub fn missing(name: &str) -> Failure {
    let message = format!(
        "The input parameter \"{name}\" that is mandatory for processing this request is not supplied."
    );
    Failure::new(400, "MissingParameter", message)
}

/// The gateway's refusal of a parameter of the wrong type or outside its enumeration.
pub fn invalid(name: &str) -> Failure {
    // The code of CreateVpnGateway for periods that are not sold happens to be the same, and has a text of its own.
    let message = match name {
        "Period" => "The specified period is not valid".to_owned(),
        _ => format!("Specified parameter {name} is not valid."),
    };
    Failure::new(400, format!("Invalid{name}"), message)
}

/// The backend's refusal of a parameter.
pub fn illegal(name: &str) -> Failure {
    Failure::new(400, format!("IllegalParam.{name}"), format!("The specified {name} is invalid."))
}

/// A set of parameters: those of the request, of an object in it, or of a JSON-string parameter.
#[derive(Clone, Copy)]
pub struct Fields<'a> {
    members: &'a Map<String, Value>,
    /// Names are compared without case: clients disagree on the case of health check members.
    ignores_case: bool,
}

impl<'a> Fields<'a> {
    /// The parameters of a request.
    pub fn of(params: &'a Params) -> Self {
        Self::of_members(&params.0)
    }

    /// The members of an object.
    pub fn of_members(members: &'a Map<String, Value>) -> Self {
        Self { members, ignores_case: false }
    }

    /// The same, with names compared without case.
    pub fn ignoring_case(self) -> Self {
        Self { ignores_case: true, ..self }
    }

    /// The value of a parameter; null counts as absent.
    pub fn value(&self, name: &str) -> Option<&'a Value> {
        let found = if self.ignores_case {
            self.members.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
        } else {
            self.members.get(name)
        };
        found.filter(|value| !value.is_null())
    }

    /// A scalar as text; an empty one counts as absent.
    pub fn text(&self, name: &str) -> Option<String> {
        self.value(name).and_then(scalar_text).filter(|text| !text.is_empty())
    }

    /// A text that must be there in this case.
    ///
    /// # Errors
    /// `MissingParameter`.
    pub fn required(&self, name: &str) -> Result<String, Failure> {
        self.text(name).ok_or_else(|| missing(name))
    }

    /// An id.
    pub fn id(&self, name: &str) -> Option<ExternalId> {
        self.text(name).map(ExternalId::from)
    }

    /// An id that must be there in this case.
    ///
    /// # Errors
    /// `MissingParameter`.
    pub fn required_id(&self, name: &str) -> Result<ExternalId, Failure> {
        self.required(name).map(ExternalId::from)
    }

    /// A whole number.
    ///
    /// # Errors
    /// `Invalid{name}`.
    pub fn integer(&self, name: &str) -> Result<Option<i64>, Failure> {
        self.text(name).map(|text| text.parse().map_err(|_| invalid(name))).transpose()
    }

    /// A whole number within bounds.
    ///
    /// # Errors
    /// `Invalid{name}`.
    pub fn integer_within(&self, name: &str, lowest: u32, highest: u32) -> Result<Option<u32>, Failure> {
        let Some(number) = self.integer(name)? else { return Ok(None) };
        let number = u32::try_from(number).ok().filter(|number| (lowest..=highest).contains(number));
        number.map(Some).ok_or_else(|| invalid(name))
    }

    /// `true` or `false` in any case.
    ///
    /// # Errors
    /// `Invalid{name}`.
    pub fn boolean(&self, name: &str) -> Result<Option<bool>, Failure> {
        self.text(name).map(|text| parse_boolean(&text).ok_or_else(|| invalid(name))).transpose()
    }

    /// One word of an enumeration.
    ///
    /// # Errors
    /// `Invalid{name}`.
    pub fn word(&self, name: &str, words: &[&'static str]) -> Result<Option<&'static str>, Failure> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let known = words.iter().copied().find(|word| *word == text);
        known.map(Some).ok_or_else(|| invalid(name))
    }

    /// A list of texts; a single text counts as a list of one.
    ///
    /// # Errors
    /// `Invalid{name}` when an item is not a text.
    pub fn texts(&self, name: &str) -> Result<Vec<String>, Failure> {
        match self.value(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => {
                items.iter().map(|item| scalar_text(item).ok_or_else(|| invalid(name))).collect()
            }
            Some(single) => scalar_text(single).map(|text| vec![text]).ok_or_else(|| invalid(name)),
        }
    }

    /// A list of objects.
    ///
    /// # Errors
    /// `Invalid{name}` when it is something else.
    pub fn objects(&self, name: &str) -> Result<Vec<Fields<'a>>, Failure> {
        match self.value(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => {
                let fields = |item: &'a Value| item.as_object().map(Fields::of_members);
                items.iter().map(|item| fields(item).ok_or_else(|| invalid(name))).collect()
            }
            Some(_) => Err(invalid(name)),
        }
    }

    /// An object, or none.
    ///
    /// # Errors
    /// `Invalid{name}` when it is something else.
    pub fn object(&self, name: &str) -> Result<Option<Fields<'a>>, Failure> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Object(members)) => Ok(Some(Fields::of_members(members))),
            Some(_) => Err(invalid(name)),
        }
    }

    /// The members of a parameter that holds a JSON object as text (or, leniently, is an object).
    ///
    /// # Errors
    /// `IllegalParam.{name}` when it is neither, or holds lists or objects: no option is one, and what can't be read
    /// must not count as left out.
    pub fn json(&self, name: &str) -> Result<Option<Map<String, Value>>, Failure> {
        let members = match self.value(name) {
            None => return Ok(None),
            Some(Value::Object(members)) => members.clone(),
            Some(Value::String(text)) if text.is_empty() => return Ok(None),
            Some(Value::String(text)) => read_object(text.as_bytes()).map_err(|_| illegal(name))?,
            Some(_) => return Err(illegal(name)),
        };
        let is_flat = members.values().all(|member| !member.is_array() && !member.is_object());
        if is_flat { Ok(Some(members)) } else { Err(illegal(name)) }
    }
}

/// Clients write booleans in different cases.
pub fn parse_boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// A page asked for by number and size.
pub struct Page {
    /// From 1.
    pub number: u32,
    /// Items of a page.
    pub size: u32,
}

/// Items of a page when none are asked for.
const PAGE_SIZE: u32 = 10;
/// Items of a page at most.
const PAGE_SIZE_MAX: u32 = 50;

impl Page {
    /// Reads `PageNumber` and `PageSize`. The code of one out of range is not documented; the gateway's
    /// general one is used.
    ///
    /// # Errors
    /// `InvalidPageNumber`, `InvalidPageSize`.
    pub fn read(fields: &Fields<'_>) -> Result<Page, Failure> {
        Ok(Page {
            number: fields.integer_within("PageNumber", 1, u32::MAX)?.unwrap_or(1),
            size: fields.integer_within("PageSize", 1, PAGE_SIZE_MAX)?.unwrap_or(PAGE_SIZE),
        })
    }

    /// Items before this page.
    pub fn offset(&self) -> usize {
        (self.number as usize).saturating_sub(1).saturating_mul(self.size as usize)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn scalars_come_as_text_or_as_json() {
        let members = map(json!({"A": "5", "B": 5, "C": "True", "D": true, "E": "", "F": null, "G": "x"}));
        let fields = Fields::of_members(&members);
        assert_eq!(fields.integer("A").unwrap(), Some(5));
        assert_eq!(fields.integer("B").unwrap(), Some(5));
        assert_eq!(fields.boolean("C").unwrap(), Some(true));
        assert_eq!(fields.boolean("D").unwrap(), Some(true));
        assert_eq!(fields.integer("E").unwrap(), None);
        assert_eq!(fields.text("F"), None);
        assert_eq!(fields.integer("G").unwrap_err().code, "InvalidG");
        assert_eq!(fields.boolean("A").unwrap_err().message, "Specified parameter A is not valid.");
        assert_eq!(fields.required("E").unwrap_err().code, "MissingParameter");
        assert_eq!(fields.integer_within("A", 6, 9).unwrap_err().code, "InvalidA");
        assert_eq!(fields.word("G", &["x", "y"]).unwrap(), Some("x"));
        assert_eq!(fields.word("G", &["y"]).unwrap_err().code, "InvalidG");
    }

    #[test]
    fn json_strings_hold_objects_only() {
        let members = map(
            json!({"A": "{\"Psk\":null,\"dip\":1}", "B": "[]", "C": "{", "D": "", "E": "{\"IkeVersion\":[\"ikev2\"]}"}),
        );
        let fields = Fields::of_members(&members);
        let inner = fields.json("A").unwrap().unwrap();
        assert_eq!(Fields::of_members(&inner).text("Psk"), None);
        assert_eq!(Fields::of_members(&inner).text("Dip"), None);
        assert_eq!(Fields::of_members(&inner).ignoring_case().text("Dip").as_deref(), Some("1"));
        assert_eq!(fields.json("B").unwrap_err().code, "IllegalParam.B");
        assert_eq!(fields.json("C").unwrap_err().code, "IllegalParam.C");
        assert!(fields.json("D").unwrap().is_none());
        assert_eq!(fields.json("E").unwrap_err().code, "IllegalParam.E");
        let wide: Map<String, Value> = (0..5_000).map(|n| (n.to_string(), json!(0))).collect();
        let wide = map(json!({"A": Value::Object(wide).to_string()}));
        assert_eq!(Fields::of_members(&wide).json("A").unwrap_err().code, "IllegalParam.A");
    }

    #[test]
    fn pages_have_bounds() {
        let page = |members: Value| {
            let members = map(members);
            Page::read(&Fields::of_members(&members)).map(|page| (page.offset(), page.size))
        };
        assert_eq!(page(json!({})).unwrap(), (0, 10));
        assert_eq!(page(json!({"PageNumber": "3", "PageSize": "50"})).unwrap(), (100, 50));
        assert_eq!(page(json!({"PageNumber": "0"})).unwrap_err().code, "InvalidPageNumber");
        assert_eq!(page(json!({"PageSize": "51"})).unwrap_err().code, "InvalidPageSize");
    }
}
