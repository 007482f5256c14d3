//! Messages of strongSwan's VICI protocol (README.md of libcharon's vici plugin, version 5.9.8).
//!
//! A message is a sequence of key/values, lists and sections. Lengths are big-endian: one byte before a
//! name, two before a value.

use zeroize::Zeroizing;

const SECTION_START: u8 = 1;
const SECTION_END: u8 = 2;
const KEY_VALUE: u8 = 3;
const LIST_START: u8 = 4;
const LIST_ITEM: u8 = 5;
const LIST_END: u8 = 6;

/// Deepest nesting of sections that is read; charon's own answers have five.
const MAX_DEPTH: usize = 16;
/// Room for a message, so that a pre-shared key is not left behind in a buffer that was too small.
const MESSAGE_ROOM_BYTES: usize = 8 * 1024;

/// Writes a message. Its memory is wiped when it goes, because it may hold a pre-shared key.
pub struct Encoder {
    bytes: Zeroizing<Vec<u8>>,
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Encoder {
    /// An empty message.
    pub fn new() -> Self {
        Self { bytes: Zeroizing::new(Vec::with_capacity(MESSAGE_ROOM_BYTES)) }
    }

    /// A key/value.
    ///
    /// # Panics
    /// When the name has more than 255 bytes or the value more than 65 535, as with everything below.
    pub fn value(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.name(KEY_VALUE, name);
        self.text(value.as_ref());
        self
    }

    /// A key/value that is only written when there is a value.
    pub fn optional(self, name: &str, value: Option<impl AsRef<[u8]>>) -> Self {
        match value {
            Some(value) => self.value(name, value),
            None => self,
        }
    }

    /// A list of values.
    pub fn list(mut self, name: &str, items: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Self {
        self.name(LIST_START, name);
        for item in items {
            self.bytes.push(LIST_ITEM);
            self.text(item.as_ref());
        }
        self.bytes.push(LIST_END);
        self
    }

    /// A section, with what `fill` puts into it.
    pub fn section(mut self, name: &str, fill: impl FnOnce(Self) -> Self) -> Self {
        self.name(SECTION_START, name);
        let mut filled = fill(self);
        filled.bytes.push(SECTION_END);
        filled
    }

    /// The message.
    pub fn finish(self) -> Zeroizing<Vec<u8>> {
        self.bytes
    }

    fn name(&mut self, kind: u8, name: &str) {
        let length = u8::try_from(name.len()).expect("names of sections and keys are short");
        self.bytes.push(kind);
        self.bytes.push(length);
        self.bytes.extend_from_slice(name.as_bytes());
    }

    fn text(&mut self, value: &[u8]) {
        // The longest values are pre-shared keys and identities.
        let length = u16::try_from(value.len()).expect("values are shorter than 64 KiB");
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(value);
    }
}

/// A received section: its values, lists and sections in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Section {
    items: Vec<(String, Item)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    Value(Vec<u8>),
    List(Vec<Vec<u8>>),
    Section(Section),
}

/// Bytes that are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed VICI message")]
pub struct Malformed;

impl Section {
    /// Reads a message.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader { rest: bytes };
        let section = reader.section(0)?;
        if reader.rest.is_empty() { Ok(section) } else { Err(Malformed) }
    }

    /// A value as text.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.find(name)? {
            Item::Value(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// A value as a number.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    /// A section by its name.
    pub fn section_named(&self, name: &str) -> Option<&Self> {
        match self.find(name)? {
            Item::Section(section) => Some(section),
            _ => None,
        }
    }

    /// The items of a list that are text; none when there is no such list.
    pub fn list_named(&self, name: &str) -> Vec<&str> {
        match self.find(name) {
            Some(Item::List(items)) => {
                items.iter().filter_map(|item| std::str::from_utf8(item).ok()).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The sections directly in this one, with their names.
    pub fn sections(&self) -> impl Iterator<Item = (&str, &Self)> {
        self.items.iter().filter_map(|(name, item)| match item {
            Item::Section(section) => Some((name.as_str(), section)),
            _ => None,
        })
    }

    fn find(&self, name: &str) -> Option<&Item> {
        self.items.iter().find(|(key, _)| key == name).map(|(_, item)| item)
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn section(&mut self, depth: usize) -> Result<Section, Malformed> {
        if depth > MAX_DEPTH {
            return Err(Malformed);
        }
        let mut section = Section::default();
        loop {
            // Only the outermost section ends with the message.
            let Ok(kind) = self.byte() else {
                return if depth == 0 { Ok(section) } else { Err(Malformed) };
            };
            let entry = match kind {
                SECTION_START => (self.name()?, Item::Section(self.section(depth + 1)?)),
                SECTION_END if depth > 0 => return Ok(section),
                KEY_VALUE => (self.name()?, Item::Value(self.text()?)),
                LIST_START => (self.name()?, Item::List(self.list()?)),
                _ => return Err(Malformed),
            };
            section.items.push(entry);
        }
    }

    fn list(&mut self) -> Result<Vec<Vec<u8>>, Malformed> {
        let mut items = Vec::new();
        loop {
            match self.byte()? {
                LIST_ITEM => items.push(self.text()?),
                LIST_END => return Ok(items),
                _ => return Err(Malformed),
            }
        }
    }

    fn name(&mut self) -> Result<String, Malformed> {
        let length = usize::from(self.byte()?);
        String::from_utf8(self.take(length)?).map_err(|_| Malformed)
    }

    fn text(&mut self) -> Result<Vec<u8>, Malformed> {
        let length = usize::from(u16::from_be_bytes([self.byte()?, self.byte()?]));
        self.take(length)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        let (first, rest) = self.rest.split_first().ok_or(Malformed)?;
        self.rest = rest;
        Ok(*first)
    }

    fn take(&mut self, length: usize) -> Result<Vec<u8>, Malformed> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::{Encoder, Malformed, Section};

    fn example() -> Vec<u8> {
        let message = Encoder::new()
            .value("key1", "value1")
            .section("section1", |s| {
                s.section("sub-section", |s| s.value("key2", "value2")).list("list1", ["item1", "item2"])
            })
            .optional("absent", None::<&str>);
        message.finish().to_vec()
    }

    #[test]
    fn encodes_the_example_of_the_protocols_description() {
        let mut expected = vec![3, 4];
        expected.extend(b"key1\x00\x06value1");
        expected.extend(b"\x01\x08section1");
        expected.extend(b"\x01\x0bsub-section");
        expected.extend(b"\x03\x04key2\x00\x06value2");
        expected.push(2);
        expected.extend(b"\x04\x05list1");
        expected.extend(b"\x05\x00\x05item1\x05\x00\x05item2");
        expected.extend([6, 2]);
        assert_eq!(example(), expected);
    }

    #[test]
    fn reads_what_it_wrote() {
        let message = Section::decode(&example()).unwrap();
        assert_eq!(message.text("key1"), Some("value1"));
        let inner = message.section_named("section1").unwrap();
        assert_eq!(inner.sections().map(|(name, _)| name).collect::<Vec<_>>(), ["sub-section"]);
        assert_eq!(inner.section_named("sub-section").unwrap().text("key2"), Some("value2"));
        assert_eq!(message.number("key1"), None);
    }

    #[test]
    fn a_cut_or_overlong_message_is_malformed() {
        let whole = example();
        for end in 1..whole.len() {
            // The first value alone is a message too.
            if end != 14 {
                assert_eq!(Section::decode(&whole[..end]), Err(Malformed), "cut after {end}");
            }
        }
        assert_eq!(Section::decode(&[&whole[..], &[2]].concat()), Err(Malformed));
        assert_eq!(Section::decode(&[1, 0].repeat(40)), Err(Malformed));
    }
}
