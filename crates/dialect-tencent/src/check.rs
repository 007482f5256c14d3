//! Parameters against the catalogue: unknown names, wrong types, missing ones; and the conversion of parameters
//! that came as text.

use causeway_dialect::Params;
use serde_json::{Map, Value};

use crate::catalog::{ActionSpec, Member, Service, Shape};
use crate::refusal::Refusal;

/// Converts the leaves of a query or form, which are all text, to the types of the catalogue. What can't be
/// converted stays text, and [`check`] refuses it.
pub fn convert(service: &Service, spec: &ActionSpec, params: &mut Params) {
    convert_members(service, &spec.members, &mut params.0);
}

fn convert_members(service: &Service, members: &[Member], map: &mut Map<String, Value>) {
    for member in members {
        if let Some(value) = map.get_mut(member.name) {
            convert_value(service, member.shape, value);
        }
    }
}

fn convert_value(service: &Service, shape: Shape, value: &mut Value) {
    match (shape, &mut *value) {
        (Shape::Integer, Value::String(text)) => {
            if let Ok(number) = text.trim().parse::<i64>() {
                *value = Value::from(number);
            }
        }
        (Shape::Number, Value::String(text)) => {
            if let Ok(number) = text.trim().parse::<f64>() {
                *value = Value::from(number);
            }
        }
        (Shape::Boolean, Value::String(text)) => {
            // Python writes `True`, Go `true`; scripts write 1.
            if let Some(flag) = flag(text) {
                *value = Value::Bool(flag);
            }
        }
        (Shape::Structure(name), Value::Object(map)) => {
            convert_members(service, service.structure(name), map);
        }
        (Shape::Structures(name), Value::Array(items)) => {
            for item in items {
                convert_value(service, Shape::Structure(name), item);
            }
        }
        (Shape::Integers, Value::Array(items)) => {
            for item in items {
                convert_value(service, Shape::Integer, item);
            }
        }
        _ => {}
    }
}

fn flag(text: &str) -> Option<bool> {
    match text {
        "1" => Some(true),
        "0" => Some(false),
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// Checks the parameters of an action.
///
/// # Errors
/// `UnknownParameter`, `InvalidParameter` (type) and `MissingParameter`, in this order for each level.
pub fn check(service: &Service, spec: &ActionSpec, params: &Params) -> Result<(), Refusal> {
    check_members(service, &spec.members, &params.0, "", true)
}

fn check_members(
    service: &Service,
    members: &[Member],
    map: &Map<String, Value>,
    path: &str,
    all: bool,
) -> Result<(), Refusal> {
    for (name, value) in map {
        let full = format!("{path}{name}");
        let Some(member) = members.iter().find(|member| member.name == name) else {
            return Err(Refusal::unknown(&full));
        };
        if !value.is_null() {
            check_value(service, member, value, &full)?;
        }
    }
    let given = |member: &Member| map.get(member.name).is_some_and(|value| !value.is_null());
    match members.iter().find(|member| all && member.required && !given(member)) {
        Some(member) => Err(Refusal::missing(&format!("{path}{}", member.name))),
        None => Ok(()),
    }
}

/// Octets of a text at most, where no smaller limit is documented: some are stored as they come.
const TEXT_BYTES_MAX: usize = 16 * 1024;

fn check_value(service: &Service, member: &Member, value: &Value, path: &str) -> Result<(), Refusal> {
    let wrong = || Err(Refusal::wrong_type(path));
    if value.as_str().is_some_and(|text| text.len() > TEXT_BYTES_MAX) {
        return Err(Refusal::too_long(path, TEXT_BYTES_MAX));
    }
    match (member.shape, value) {
        (Shape::Text, Value::String(_)) | (Shape::Boolean, Value::Bool(_)) => Ok(()),
        (Shape::Integer, Value::Number(number)) if number.is_i64() || number.is_u64() => Ok(()),
        (Shape::Number, Value::Number(_)) => Ok(()),
        (Shape::Text, Value::Number(_)) if is_lenient(member.name) => Ok(()),
        (Shape::Integer, Value::String(text)) if is_lenient(member.name) && text.parse::<i64>().is_ok() => {
            Ok(())
        }
        (Shape::Texts, Value::Array(items)) if items.iter().all(Value::is_string) => Ok(()),
        (Shape::Integers, Value::Array(items)) if items.iter().all(|item| item.is_i64() || item.is_u64()) => {
            Ok(())
        }
        (Shape::Structures("Filter" | "FilterObject"), Value::Array(items)) => check_filters(items, path),
        (Shape::Structure(name), Value::Object(map)) => check_structure(service, name, map, path),
        (Shape::Structures(name), Value::Array(items)) => {
            items.iter().enumerate().try_for_each(|(place, item)| {
                let path = format!("{path}.{place}");
                match item {
                    Value::Object(map) => check_structure(service, name, map, &path),
                    _ => Err(Refusal::wrong_type(&path)),
                }
            })
        }
        _ => wrong(),
    }
}

/// The page of a list and the timeout of DPD are text in some actions and numbers in others, and clients
/// mix them up: either is taken.
fn is_lenient(name: &str) -> bool {
    matches!(name, "Offset" | "Limit" | "DpdTimeout")
}

fn check_structure(
    service: &Service,
    name: &str,
    map: &Map<String, Value>,
    path: &str,
) -> Result<(), Refusal> {
    // Routes name what they change or delete by one of several members; the actions check that themselves.
    let all = name != "Route";
    check_members(service, service.structure(name), map, &format!("{path}."), all)
}

/// Filters have refusals of their own.
fn check_filters(items: &[Value], path: &str) -> Result<(), Refusal> {
    for (place, item) in items.iter().enumerate() {
        let path = format!("{path}.{place}");
        let Value::Object(map) = item else {
            return Err(Refusal::new(
                "InvalidParameter.FilterNotDict",
                format!("The filter `{path}` is not an object."),
                format!("过滤条件`{path}`不是字典类型。"),
            ));
        };
        if let Some(name) = map.keys().find(|name| !matches!(name.as_str(), "Name" | "Values")) {
            return Err(Refusal::unknown(&format!("{path}.{name}")));
        }
        let absent = ["Name", "Values"].into_iter().find(|name| map.get(*name).is_none_or(Value::is_null));
        if let Some(name) = absent {
            return Err(Refusal::new(
                "InvalidParameter.FilterMissParameter",
                format!("The filter `{path}` has no `{name}`."),
                format!("过滤条件`{path}`缺少`{name}`。"),
            ));
        }
        if !map.get("Name").is_some_and(Value::is_string) {
            return Err(Refusal::wrong_type(&format!("{path}.Name")));
        }
        let values = map.get("Values").and_then(Value::as_array);
        if !values.is_some_and(|values| values.iter().all(Value::is_string)) {
            return Err(Refusal::new(
                "InvalidParameter.FilterValuesNotList",
                format!("The `Values` of the filter `{path}` are not a list of strings."),
                format!("过滤条件`{path}`的`Values`不是字符串列表。"),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
