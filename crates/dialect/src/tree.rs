//! A JSON object as a tree of bounded size: reading stops at the first value that is one too many or too deep, so that
//! a large body never becomes a tree many times its size.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::params::{DEPTH_MAX, PARAMS_MAX, ParamsError};

/// Reads a text that is one JSON object. Of equal names the last one wins. What counts towards [`PARAMS_MAX`] is what
/// would be a parameter of its own in flattened form: scalars and empty structures; the members of the object are the
/// first level of [`DEPTH_MAX`].
///
/// # Errors
/// [`ParamsError::Malformed`] for text that is no JSON object, [`ParamsError::TooMany`], [`ParamsError::TooDeep`].
pub fn read_object(text: &[u8]) -> Result<Map<String, Value>, ParamsError> {
    let budget = Budget::default();
    let mut json = serde_json::Deserializer::from_slice(text);
    let read = json.deserialize_map(Object(Level { budget: &budget, depth: 0, top: "" }));
    match read.and_then(|members| json.end().map(|()| members)) {
        Ok(members) => Ok(members),
        Err(error) => {
            Err(budget.spent.into_inner().unwrap_or_else(|| ParamsError::Malformed(error.to_string())))
        }
    }
}

/// What is left, and why reading was given up.
#[derive(Default)]
struct Budget {
    leaves: Cell<usize>,
    spent: RefCell<Option<ParamsError>>,
}

impl Budget {
    /// The library's error only stops the reading; the reason stays here.
    fn stop<E: de::Error>(&self, why: ParamsError) -> E {
        let error = E::custom(&why);
        *self.spent.borrow_mut() = Some(why);
        error
    }
}

/// Where a value stands.
#[derive(Clone, Copy)]
struct Level<'a> {
    budget: &'a Budget,
    depth: usize,
    /// The member of the object that it is or belongs to.
    top: &'a str,
}

impl Level<'_> {
    fn leaf<E: de::Error>(self, value: Value) -> Result<Value, E> {
        let leaves = self.budget.leaves.get() + 1;
        self.budget.leaves.set(leaves);
        if leaves > PARAMS_MAX { Err(self.budget.stop(ParamsError::TooMany)) } else { Ok(value) }
    }
}

impl<'de> de::DeserializeSeed<'de> for Level<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        if self.depth > DEPTH_MAX {
            return Err(self.budget.stop(ParamsError::TooDeep(self.top.to_owned())));
        }
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Value, E> {
        self.leaf(Value::Bool(flag))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Value, E> {
        self.leaf(number.into())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Value, E> {
        self.leaf(number.into())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Value, E> {
        self.leaf(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        self.leaf(text.into())
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Value, E> {
        self.leaf(text.into())
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        self.leaf(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(Level { depth: self.depth + 1, ..self })? {
            items.push(item);
        }
        if items.is_empty() { self.leaf(items.into()) } else { Ok(items.into()) }
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Value, A::Error> {
        let members = Object(self).visit_map(object)?;
        if members.is_empty() { self.leaf(members.into()) } else { Ok(members.into()) }
    }
}

/// The members of an object.
struct Object<'a>(Level<'a>);

impl<'de> Visitor<'de> for Object<'_> {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let Level { budget, depth, top } = self.0;
        let mut members = Map::new();
        while let Some(name) = object.next_key::<String>()? {
            let top = if depth == 0 { name.as_str() } else { top };
            let value = object.next_value_seed(Level { budget, depth: depth + 1, top })?;
            members.insert(name, value);
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Value, ParamsError> {
        read_object(text.as_bytes()).map(Value::Object)
    }

    #[test]
    fn a_wide_text_is_given_up_at_its_first_value_too_many() {
        for item in ["0", "{}", "[]", "\"\"", "[{\"a\":null}]", "{\"a\":1}"] {
            let list = |items: usize, end: &str| format!("{{\"Ids\":[{}{end}", vec![item; items].join(","));
            assert!(read(&list(PARAMS_MAX, "]}")).is_ok(), "{item}");
            // What follows is not looked at: it is no JSON, and that is not what the error says.
            assert_eq!(read(&list(PARAMS_MAX + 1, ", ?")), Err(ParamsError::TooMany), "{item}");
        }
        let members: Vec<String> = (0..=PARAMS_MAX).map(|n| format!("\"{}\":1", n % 2)).collect();
        let same_names = format!("{{{}}}", members.join(","));
        assert_eq!(read(&same_names), Err(ParamsError::TooMany), "equal names count as well");
    }

    #[test]
    fn a_deep_text_is_given_up_at_its_first_level_too_many() {
        for (open, close) in [("[", "]"), ("{\"x\":", "}")] {
            let nested = |levels: usize, close: &str| {
                format!("{{\"A\":0,\"B\":{}1{}", open.repeat(levels), close.repeat(levels + 1))
            };
            assert!(matches!(read(&nested(DEPTH_MAX - 1, "")), Err(ParamsError::Malformed(_))));
            assert_eq!(read(&nested(DEPTH_MAX, "")), Err(ParamsError::TooDeep("B".into())));
            assert_eq!(read(&nested(1_000_000, close)), Err(ParamsError::TooDeep("B".into())));
        }
    }

    #[test]
    fn what_is_no_object_is_malformed() {
        for text in ["", "[1]", "null", "{", "{} x", "{\"a\":1e999}", "{\"a\":\"\u{1}\"}"] {
            assert!(matches!(read(text), Err(ParamsError::Malformed(_))), "{text}");
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-1e9..1e9).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 50, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::hash_map(any::<String>(), inner, 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_within_the_limits_is_read_as_it_is(value in values()) {
            let text = serde_json::json!({ "A": value }).to_string();
            prop_assert_eq!(read(&text), Ok(serde_json::from_str(&text).unwrap()));
        }
    }
}
