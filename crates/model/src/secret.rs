//! Secrets: values that are never printed and are wiped when they go.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeStruct};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The one member of a secret's JSON object. A store looks for it to seal what it holds.
pub const SECRET_MEMBER: &str = "$secret";

/// A secret text (pre-shared key, BGP key, access key secret). It has no `Display`, its `Debug` prints
/// `***`, and its memory is wiped when it is dropped.
///
/// `Serialize` writes the clear text as `{"$secret": text}`: only the store (which seals it) and the
/// engines' private files may serialise one.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Secret(String);

impl Secret {
    /// Takes over a clear text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The clear text, for the one place that has to use it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Secret", 1)?;
        object.serialize_field(SECRET_MEMBER, &self.0)?;
        object.end()
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut object = std::collections::BTreeMap::<String, String>::deserialize(deserializer)?;
        object.remove(SECRET_MEMBER).map(Self).ok_or_else(|| de::Error::missing_field(SECRET_MEMBER))
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn debug_does_not_show_the_text() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "***");
    }

    #[test]
    fn json_marks_the_text() {
        let json = serde_json::to_string(&Secret::new("hunter2")).unwrap();
        assert_eq!(json, r#"{"$secret":"hunter2"}"#);
        assert_eq!(serde_json::from_str::<Secret>(&json).unwrap(), Secret::new("hunter2"));
    }
}
