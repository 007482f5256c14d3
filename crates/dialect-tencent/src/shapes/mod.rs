//! The nouns as the API shows them.

pub mod algorithms;
pub mod connection;
pub mod customer_gateway;
pub mod gateway;
pub mod network;
pub mod route_table;
pub mod subnet;
pub mod vendors;
pub mod zones;

use causeway_model::Meta;
use serde_json::{Value, json};

/// The time that stands for none.
pub const NO_TIME: &str = "0000-00-00 00:00:00";

/// `TagSet`: the tags of a resource.
pub fn tag_set(meta: &Meta) -> Value {
    meta.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}
