//! Nouns as the answers show them.

pub mod connection;
pub mod customer_gateway;
pub mod gateway;
pub mod network;
pub mod page;
pub mod route;
pub mod route_table;
pub mod subnet;
pub mod tunnel;

use serde_json::{Map, Value};

/// Some members of an object, in the order asked for.
pub fn pick(object: &Value, names: &[&str]) -> Value {
    let mut picked = Map::new();
    for name in names {
        if let Some(value) = object.get(*name) {
            picked.insert((*name).to_owned(), value.clone());
        }
    }
    Value::Object(picked)
}
