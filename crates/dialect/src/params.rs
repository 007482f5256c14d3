//! Parameters as a tree: the same whether they came as JSON or as flattened pairs.

use serde_json::{Map, Value};

use crate::tree::read_object;

/// Parameters of one request at most.
pub const PARAMS_MAX: usize = 2_000;
/// Levels of nesting at most.
pub const DEPTH_MAX: usize = 10;
/// The highest index of a flattened list.
pub const INDEX_MAX: usize = 1_000;

/// Why pairs or a JSON text could not be made into a tree.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ParamsError {
    /// More than [`PARAMS_MAX`] parameters.
    #[error("more than {PARAMS_MAX} parameters")]
    TooMany,
    /// A name with more than [`DEPTH_MAX`] parts.
    #[error("{0} is nested more than {DEPTH_MAX} levels deep")]
    TooDeep(String),
    /// An index above [`INDEX_MAX`].
    #[error("{0} has an index above {INDEX_MAX}")]
    IndexTooLarge(String),
    /// A name is both a value and an object or list.
    #[error("{0} is both a value and a structure")]
    Conflict(String),
    /// A text that should be one JSON object is none.
    #[error("the JSON object can't be read: {0}")]
    Malformed(String),
}

/// The parameters of a request. Leaves that came as text are strings; the decoder converts them.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Params(pub Map<String, Value>);

impl Params {
    /// Makes a tree of flattened pairs: `A.1.B=x` (an index in the middle or at the end is a place in a list,
    /// sorted by index, gaps closed), `C.D=y` (a member of an object). The first of equal names wins.
    ///
    /// # Errors
    /// See [`ParamsError`].
    pub fn from_pairs<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Params, ParamsError> {
        let mut root = Map::new();
        for (count, (name, value)) in pairs.into_iter().enumerate() {
            if count >= PARAMS_MAX {
                return Err(ParamsError::TooMany);
            }
            insert(&mut root, name, value)?;
        }
        Ok(Params(root.into_iter().map(|(name, value)| (name, close_lists(value))).collect()))
    }

    /// Reads a JSON object, within the same limits.
    ///
    /// # Errors
    /// See [`read_object`].
    pub fn from_json(text: &[u8]) -> Result<Params, ParamsError> {
        read_object(text).map(Params)
    }

    /// The value of a top-level parameter; JSON null counts as absent.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A top-level parameter as text, if it is a scalar.
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).and_then(scalar_text)
    }
}

/// A scalar as text: strings as they are, numbers in decimal, booleans as `true` and `false`.
pub fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// Lists are built as objects with this prefix before each index, so that they can't be mistaken for members.
const INDEX_MARK: char = '\u{0}';

fn insert(root: &mut Map<String, Value>, name: &str, value: &str) -> Result<(), ParamsError> {
    let parts: Vec<&str> = name.split('.').collect();
    if parts.len() > DEPTH_MAX {
        return Err(ParamsError::TooDeep(name.to_owned()));
    }
    let mut level = root;
    for (depth, part) in parts.iter().enumerate() {
        let key = if depth > 0 && !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) {
            let index: usize = part.parse().unwrap_or(usize::MAX);
            if index > INDEX_MAX {
                return Err(ParamsError::IndexTooLarge(name.to_owned()));
            }
            format!("{INDEX_MARK}{index:08}")
        } else {
            (*part).to_owned()
        };
        if depth + 1 == parts.len() {
            match level.get(&key) {
                Some(Value::Object(_)) => return Err(ParamsError::Conflict(name.to_owned())),
                Some(_) => {}
                None => {
                    level.insert(key, Value::String(value.to_owned()));
                }
            }
            return Ok(());
        }
        level = level
            .entry(key)
            .or_insert_with(|| Value::Object(Map::new()))
            .as_object_mut()
            .ok_or_else(|| ParamsError::Conflict(name.to_owned()))?;
    }
    Ok(())
}

fn close_lists(value: Value) -> Value {
    let Value::Object(members) = value else { return value };
    let is_list = !members.is_empty() && members.keys().all(|key| key.starts_with(INDEX_MARK));
    if is_list {
        let mut items: Vec<(String, Value)> = members.into_iter().collect();
        items.sort_by(|a, b| a.0.cmp(&b.0));
        return Value::Array(items.into_iter().map(|(_, item)| close_lists(item)).collect());
    }
    let named = members.into_iter().map(|(key, item)| {
        let name = key.strip_prefix(INDEX_MARK).map(|index| {
            let bare = index.trim_start_matches('0');
            if bare.is_empty() { "0".to_owned() } else { bare.to_owned() }
        });
        (name.unwrap_or(key), close_lists(item))
    });
    Value::Object(named.collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn flattened_names_become_lists_and_objects() {
        let pairs = [
            ("Name", "a"),
            ("Tag.2.Key", "k2"),
            ("Tag.1.Key", "k1"),
            ("Tag.1.Value", ""),
            ("Tunnel.1.Ike.Psk", "p"),
            ("Id.0", "x"),
            ("Id.10", "z"),
            ("Id.9", "y"),
            ("Name", "b"),
        ];
        let tree = Params::from_pairs(pairs).unwrap();
        let wanted = json!({
            "Name": "a",
            "Tag": [{"Key": "k1", "Value": ""}, {"Key": "k2"}],
            "Tunnel": [{"Ike": {"Psk": "p"}}],
            "Id": ["x", "y", "z"],
        });
        assert_eq!(Value::Object(tree.0), wanted);
    }

    #[test]
    fn a_name_can_not_be_a_value_and_a_structure() {
        assert_eq!(
            Params::from_pairs([("A", "1"), ("A.B", "2")]),
            Err(ParamsError::Conflict("A.B".to_owned()))
        );
        assert_eq!(
            Params::from_pairs([("A.1", "1"), ("A", "2")]),
            Err(ParamsError::Conflict("A".to_owned()))
        );
    }

    #[test]
    fn limits_hold() {
        assert!(matches!(Params::from_pairs([("A.1001", "")]), Err(ParamsError::IndexTooLarge(_))));
        assert!(matches!(Params::from_pairs([("a.a.a.a.a.a.a.a.a.a.a", "")]), Err(ParamsError::TooDeep(_))));
        let names: Vec<String> = (0..=PARAMS_MAX).map(|n| format!("n{n}")).collect();
        let pairs = names.iter().map(|name| (name.as_str(), ""));
        assert_eq!(Params::from_pairs(pairs), Err(ParamsError::TooMany));
    }

    proptest! {
        #[test]
        fn no_input_panics(names in prop::collection::vec("[A0-9.\u{0}]{0,12}", 0..20)) {
            let _ = Params::from_pairs(names.iter().map(|name| (name.as_str(), "v")));
        }
    }
}
