//! The catalogue: every action that the API has, with its parameters.

#[path = "catalog_table.rs"]
mod table;

use causeway_dialect::{ActionInfo, Failure};

use crate::params::{Fields, invalid, mandatory};

/// An action of the catalogue.
pub struct Entry {
    /// The product, in lower case.
    pub service: &'static str,
    /// Its name.
    pub name: &'static str,
    params: &'static str,
}

/// The type of a parameter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Type {
    Text,
    Integer,
    Boolean,
    List,
    Object,
}

/// A parameter of an action.
struct Param {
    name: &'static str,
    kind: Type,
    required: bool,
}

/// Parameters that the catalogue marks as required and the documents do not: the documents are right.
const NOT_REQUIRED: &[(&str, &str)] =
    &[("CreateVpnGateway", "InstanceChargeType"), ("CreateVpnGateway", "Period")];

/// Octets of a text at most, where no smaller limit is documented: some are stored as they come.
pub const TEXT_BYTES_MAX: usize = 16 * 1024;

fn fits(text: &str) -> bool {
    text.len() <= TEXT_BYTES_MAX
}

impl Entry {
    fn params(&self) -> impl Iterator<Item = Param> {
        self.params.split_ascii_whitespace().filter_map(|text| {
            let (name, mark) = text.split_once(':')?;
            let kind = match mark.trim_end_matches('!') {
                "s" => Type::Text,
                "i" => Type::Integer,
                "b" => Type::Boolean,
                "l" => Type::List,
                _ => Type::Object,
            };
            Some(Param { name, kind, required: mark.ends_with('!') })
        })
    }

    /// Whether the action takes a parameter.
    pub fn takes(&self, name: &str) -> bool {
        self.params().any(|param| param.name == name)
    }

    /// Checks what the cloud's gateway checks before the service sees a request: that required parameters are
    /// there, and that numbers and booleans are such.
    ///
    /// # Errors
    /// `Missing{Parameter}`, `Invalid{Parameter}`.
    pub fn check(&self, fields: &Fields<'_>) -> Result<(), Failure> {
        for param in self.params().filter(|param| !param.name.contains('.')) {
            let is_left_out = match fields.value(param.name) {
                None => true,
                Some(serde_json::Value::String(text)) => text.is_empty(),
                Some(_) => false,
            };
            let is_required = param.required && !NOT_REQUIRED.contains(&(self.name, param.name));
            if is_left_out && is_required {
                return Err(mandatory(param.name));
            }
            match param.kind {
                Type::Integer => {
                    fields.integer(param.name)?;
                }
                Type::Boolean => {
                    fields.boolean(param.name)?;
                }
                Type::Text if !is_left_out && !fields.text(param.name).is_some_and(|text| fits(&text)) => {
                    return Err(invalid(param.name));
                }
                Type::Text | Type::List | Type::Object => {}
            }
        }
        Ok(())
    }
}

/// An action of a product.
pub fn find(service: &str, name: &str) -> Option<&'static Entry> {
    table::ENTRIES
        .binary_search_by(|entry| (entry.service, entry.name).cmp(&(service, name)))
        .ok()
        .and_then(|place| table::ENTRIES.get(place))
}

/// Every action.
pub fn all() -> Vec<ActionInfo> {
    table::ENTRIES.iter().map(|entry| ActionInfo { service: entry.service, name: entry.name }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const CATALOG: &str = include_str!("../../../specs/alibaba/catalog.json");

    /// The parameters of the catalogue in the table's form.
    fn flatten(params: &Value, prefix: &str, found: &mut Vec<String>) {
        let none = Value::Null;
        for param in params.as_array().into_iter().flatten() {
            let name = format!("{prefix}{}", param["name"].as_str().unwrap());
            let (mark, inner, separator) = match param["type"].as_str().unwrap() {
                "string" => ("s", &none, ""),
                "integer" => ("i", &none, ""),
                "boolean" => ("b", &none, ""),
                "array" => ("l", &param["items"]["fields"], ".N."),
                "object" => ("o", &param["fields"], "."),
                other => panic!("{name} has the unknown type {other}"),
            };
            let required = if param["required"] == json!(true) { "!" } else { "" };
            found.push(format!("{name}:{mark}{required}"));
            flatten(inner, &format!("{name}{separator}"), found);
        }
    }

    #[test]
    fn the_table_is_the_catalogue() {
        let catalog: Value = serde_json::from_str(CATALOG).unwrap();
        let mut count = 0;
        for group in ["vpn_actions", "around_actions"] {
            for (name, action) in catalog[group].as_object().unwrap() {
                let mut params = Vec::new();
                flatten(&action["request"], "", &mut params);
                let entry = find("vpc", name).unwrap_or_else(|| panic!("{name} is not in the table"));
                assert_eq!(entry.params, params.join(" "), "{name}");
                count += 1;
            }
        }
        for call in catalog["other_products"]["calls"].as_array().unwrap() {
            let service = call["product"].as_str().unwrap().to_lowercase();
            for name in call["action"].as_str().unwrap().split(" / ") {
                assert!(find(&service, name).is_some(), "{service} {name} is not in the table");
                count += 1;
            }
        }
        assert_eq!(table::ENTRIES.len(), count);
    }

    #[test]
    fn the_table_is_sorted_so_that_it_can_be_searched() {
        let names: Vec<_> = table::ENTRIES.iter().map(|entry| (entry.service, entry.name)).collect();
        assert!(names.is_sorted());
        assert!(find("vpc", "createvpc").is_none());
        assert!(find("sts", "CreateVpc").is_none());
    }

    #[test]
    fn actions_take_their_own_parameters() {
        assert!(find("vpc", "DescribeVpcs").unwrap().takes("DryRun"));
        assert!(!find("vpc", "CreateVpnGateway").unwrap().takes("DryRun"));
    }

    #[test]
    fn required_parameters_and_types_are_checked() {
        let check = |members: Value| {
            let members = members.as_object().cloned().unwrap();
            find("vpc", "CreateVpnGateway").unwrap().check(&Fields::of_members(&members))
        };
        let complete = json!({"RegionId": "r", "VpcId": "v", "Bandwidth": "5"});
        assert!(check(complete.clone()).is_ok());
        for name in ["RegionId", "VpcId", "Bandwidth"] {
            let mut partial = complete.clone();
            partial.as_object_mut().unwrap().remove(name);
            assert_eq!(check(partial).unwrap_err().code, format!("Missing{name}"));
            let mut empty = complete.clone();
            empty[name] = json!("");
            assert_eq!(check(empty).unwrap_err().code, format!("Missing{name}"));
        }
        for (name, value) in [("Bandwidth", "x"), ("EnableSsl", "maybe"), ("Period", "1.5")] {
            let mut wrong = complete.clone();
            wrong[name] = json!(value);
            assert_eq!(check(wrong).unwrap_err().code, format!("Invalid{name}"));
        }
    }
}
