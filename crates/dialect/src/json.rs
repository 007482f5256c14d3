//! The members of a JSON object, written one after the other: an answer that is sent once needs no tree.

use serde::Serialize;

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Members {
    /// Members with commas between them, without the braces.
    text: Vec<u8>,
}

impl Members {
    /// No member yet.
    pub fn new() -> Self {
        Self { text: Vec::with_capacity(1024) }
    }

    /// Adds a member. Names must differ; nothing checks it.
    pub fn insert(&mut self, name: impl AsRef<str>, value: impl Serialize) {
        if !self.text.is_empty() {
            self.text.push(b',');
        }
        // Writing to memory does not fail, and what answers are made of (structs, texts, numbers, lists) can be
        // written.
        let _ = serde_json::to_writer(&mut self.text, name.as_ref());
        self.text.push(b':');
        let _ = serde_json::to_writer(&mut self.text, &value);
    }

    /// The same with one member more.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Serialize) -> Self {
        self.insert(name, value);
        self
    }

    /// The members of a struct.
    pub fn of(object: &impl Serialize) -> Self {
        let mut text = Vec::with_capacity(2048);
        let _ = serde_json::to_writer(&mut text, object);
        // An object has braces.
        let inner = text.strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}")).map(<[u8]>::len);
        match inner {
            Some(len) => {
                text.truncate(len + 1);
                text.remove(0);
                Self { text }
            }
            None => Self::new(),
        }
    }

    /// The text of the members, without braces.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The object.
    pub fn object(&self) -> Vec<u8> {
        [b"{", &*self.text, b"}"].concat()
    }
}

impl<T: Serialize> FromIterator<(String, T)> for Members {
    fn from_iter<I: IntoIterator<Item = (String, T)>>(members: I) -> Self {
        let mut written = Self::new();
        members.into_iter().for_each(|(name, value)| written.insert(name, value));
        written
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Members;

    #[test]
    fn members_are_written_as_a_tree_would_be() {
        let mut members = Members::new();
        assert_eq!(members.object(), b"{}");
        members.insert("A\"", "x\"\n");
        members.insert("B", json!({"c": [1, null]}));
        let members = members.with("D", ());
        let tree: Value = serde_json::from_slice(&members.object()).unwrap();
        assert_eq!(tree, json!({"A\"": "x\"\n", "B": {"c": [1, null]}, "D": null}));
        assert_eq!(Members::of(&tree), members);
        assert_eq!(Members::of(&json!({})).object(), b"{}");
        assert_eq!(Members::of(&json!([1])).object(), b"{}");
    }
}
