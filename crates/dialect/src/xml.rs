//! Writes a JSON tree as XML, as RPC-style APIs do.

use std::borrow::Cow;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};
use serde_json::Value;

use crate::params::scalar_text;

/// Writes `value` as a document with one root element.
///
/// A member of an object becomes a child element; a list becomes its element repeated, once for each item;
/// nulls are left out.
pub fn document(root: &str, value: &Value) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    let declaration = BytesDecl::new("1.0", Some("UTF-8"), None);
    // Writing to memory does not fail.
    let _ = writer.write_event(Event::Decl(declaration));
    element(&mut writer, root, value);
    writer.into_inner()
}

fn element(writer: &mut Writer<Vec<u8>>, name: &str, value: &Value) {
    match value {
        Value::Null => {}
        Value::Array(items) => items.iter().for_each(|item| element(writer, name, item)),
        Value::Object(members) if members.is_empty() => {
            let _ = writer.write_event(Event::Empty(BytesStart::new(name)));
        }
        Value::Object(members) => {
            let _ = writer.write_event(Event::Start(BytesStart::new(name)));
            for (member, item) in members {
                element(writer, member, item);
            }
            let _ = writer.write_event(Event::End(BytesEnd::new(name)));
        }
        scalar => {
            let text = scalar_text(scalar).unwrap_or_default();
            let _ = writer.write_event(Event::Start(BytesStart::new(name)));
            let _ = writer.write_event(Event::Text(BytesText::new(&characters(&text))));
            let _ = writer.write_event(Event::End(BytesEnd::new(name)));
        }
    }
}

/// The text with U+FFFD in place of what XML 1.0 has no way to write (its production `Char`): control characters.
fn characters(text: &str) -> Cow<'_, str> {
    let is_char = |char: char| match char {
        '\t' | '\n' | '\r' => true,
        '\u{fffe}' | '\u{ffff}' => false,
        char => char >= ' ',
    };
    if text.chars().all(is_char) {
        return Cow::Borrowed(text);
    }
    text.chars().map(|char| if is_char(char) { char } else { char::REPLACEMENT_CHARACTER }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::document;

    #[test]
    fn wrapped_and_bare_lists_and_escapes() {
        let value = json!({
            "RequestId": "R",
            "VpnGateways": {"VpnGateway": [{"Name": "a<&>"}, {"Name": "b"}]},
            "Bare": ["x", "y"],
            "Empty": {"Item": []},
            "Flag": true,
            "Number": 5,
            "Gone": null,
        });
        let text = String::from_utf8(document("XResponse", &value)).unwrap();
        assert_eq!(
            text,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><XResponse><RequestId>R</RequestId><VpnGateways>\
             <VpnGateway><Name>a&lt;&amp;&gt;</Name></VpnGateway><VpnGateway><Name>b</Name></VpnGateway>\
             </VpnGateways><Bare>x</Bare><Bare>y</Bare><Empty></Empty><Flag>true</Flag><Number>5</Number></XResponse>"
        );
    }

    #[test]
    fn what_xml_does_not_have_is_replaced() {
        let text = document("R", &json!({"A": "a\u{0}b\u{1b}\tc\u{7f}\u{fffe}é\r\n"}));
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("<A>a\u{fffd}b\u{fffd}\tc\u{7f}\u{fffd}é"), "{text}");
        assert!(!text.chars().any(|char| char < ' ' && !"\t\n\r".contains(char)));
        // The names of members are the dialects' own; what is between them is read back as it was.
        let mut reader = quick_xml::Reader::from_str(&text);
        while reader.read_event().unwrap() != quick_xml::events::Event::Eof {}
    }
}
