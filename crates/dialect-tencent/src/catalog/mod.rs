//! The catalogue: every action of the API with its parameters, from the compact table in `actions.txt`.

use std::collections::HashMap;
use std::sync::LazyLock;

const TABLE: &str = include_str!("actions.txt");

static SERVICES: LazyLock<Vec<Service>> = LazyLock::new(|| read(TABLE));

/// What a parameter may hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// A text.
    Text,
    /// An integer.
    Integer,
    /// Any number.
    Number,
    /// A truth value.
    Boolean,
    /// A structure of this name.
    Structure(&'static str),
    /// A list of texts.
    Texts,
    /// A list of integers.
    Integers,
    /// A list of structures of this name.
    Structures(&'static str),
}

/// A parameter of an action, or a member of a structure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Member {
    /// Its name.
    pub name: &'static str,
    /// What it may hold.
    pub shape: Shape,
    /// It must be given.
    pub required: bool,
}

/// An action of a service.
#[derive(Clone, Debug)]
pub struct ActionSpec {
    /// Its name.
    pub name: &'static str,
    /// Its parameters.
    pub members: Vec<Member>,
}

/// A service (product).
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name: the first label of its host and a part of the credential scope.
    pub name: &'static str,
    /// The version of its API.
    pub version: &'static str,
    /// Its actions, in the order of the table.
    pub actions: Vec<ActionSpec>,
    by_name: HashMap<&'static str, usize>,
    structures: HashMap<&'static str, Vec<Member>>,
}

impl Service {
    /// An action by its exact name.
    pub fn action(&self, name: &str) -> Option<&ActionSpec> {
        self.by_name.get(name).and_then(|place| self.actions.get(*place))
    }

    /// The members of a structure.
    pub fn structure(&self, name: &str) -> &[Member] {
        self.structures.get(name).map_or(&[], Vec::as_slice)
    }
}

/// Every service.
pub fn services() -> &'static [Service] {
    &SERVICES
}

/// A service by its name.
pub fn service(name: &str) -> Option<&'static Service> {
    services().iter().find(|service| service.name == name)
}

/// The service that has an action in a version: the signature of the first scheme does not name one.
pub fn service_of(version: &str, action: &str) -> Option<&'static Service> {
    services().iter().find(|service| service.version == version && service.action(action).is_some())
}

fn read(table: &'static str) -> Vec<Service> {
    let mut services: Vec<Service> = Vec::new();
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split_ascii_whitespace();
        let Some(first) = words.next() else { continue };
        if first == "service" {
            let (name, version) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let (by_name, structures) = (HashMap::new(), HashMap::new());
            services.push(Service { name, version, actions: Vec::new(), by_name, structures });
            continue;
        }
        let Some(service) = services.last_mut() else { continue };
        if first == "type" {
            let name = words.next().unwrap_or_default();
            service.structures.insert(name, words.filter_map(member).collect());
        } else {
            service.by_name.insert(first, service.actions.len());
            service.actions.push(ActionSpec { name: first, members: words.filter_map(member).collect() });
        }
    }
    services
}

fn member(word: &'static str) -> Option<Member> {
    let (name, shape) = word.split_once(':')?;
    let shape = match shape {
        "s" => Shape::Text,
        "i" => Shape::Integer,
        "n" => Shape::Number,
        "b" => Shape::Boolean,
        "[s]" => Shape::Texts,
        "[i]" => Shape::Integers,
        other => match other.strip_prefix('{') {
            Some(rest) => Shape::Structure(rest.strip_suffix('}')?),
            None => Shape::Structures(other.strip_prefix('[')?.strip_suffix(']')?),
        },
    };
    let required = name.ends_with('!');
    Some(Member { name: name.trim_end_matches('!'), shape, required })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn shape_of(field: &Value) -> Shape {
        // Leaked on purpose: shapes hold static names, and this is a test.
        let of: &'static str = field["of"].as_str().unwrap_or_default().to_owned().leak();
        match (field["type"].as_str().unwrap_or_default(), of) {
            ("string", _) => Shape::Text,
            ("integer", _) => Shape::Integer,
            ("number", _) => Shape::Number,
            ("boolean", _) => Shape::Boolean,
            ("object", of) => Shape::Structure(of),
            ("list", "string") => Shape::Texts,
            ("list", "int non-negative") => Shape::Integers,
            ("list", of) => Shape::Structures(of),
            other => panic!("{other:?}"),
        }
    }

    fn members_of(fields: &Value) -> Vec<Member> {
        let fields = fields.as_array().unwrap().iter();
        fields
            .map(|field| Member {
                name: field["name"].as_str().unwrap().to_owned().leak(),
                shape: shape_of(field),
                required: field["required"] == true,
            })
            .collect()
    }

    #[test]
    fn the_table_agrees_with_the_catalogue() {
        let text = include_str!("../../../../specs/tencent/catalog.json");
        let catalogue: Value = serde_json::from_str(text).unwrap();
        let wanted = catalogue["services"].as_object().unwrap();
        assert_eq!(wanted.len(), services().len());
        for (name, facts) in wanted {
            let service = service(name).unwrap();
            assert_eq!(facts["version"], service.version);
            let actions = facts["actions"].as_object().unwrap();
            assert_eq!(actions.len(), service.actions.len(), "{name}");
            for (action, facts) in actions {
                let spec = service.action(action).unwrap_or_else(|| panic!("{action} is missing"));
                assert_eq!(spec.members, members_of(&facts["request"]), "{action}");
            }
            for (structure, fields) in facts["types_in"].as_object().unwrap() {
                assert_eq!(service.structure(structure), members_of(fields), "{structure}");
            }
        }
    }

    #[test]
    fn an_action_is_found_by_version_without_its_service() {
        assert_eq!(service_of("2017-03-12", "DescribeRegions").map(|it| it.name), Some("cvm"));
        assert_eq!(service_of("2022-06-27", "DescribeRegions").map(|it| it.name), Some("region"));
        assert_eq!(service_of("2017-03-12", "CreateVpnGateway").map(|it| it.name), Some("vpc"));
        assert!(service_of("2017-03-12", "createvpngateway").is_none());
    }
}
