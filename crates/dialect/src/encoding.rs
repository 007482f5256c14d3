//! Percent-encoding and form-decoding, hex and digests: what request signing needs.

use aws_lc_rs::{constant_time, digest, hmac};

/// Percent-encodes as request signing wants it (RFC 3986): unreserved characters stay, the rest is `%XX` in
/// upper case.
pub fn percent_encode(text: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(byte as char);
        } else {
            out.push('%');
            out.push(HEX[usize::from(byte >> 4)] as char);
            out.push(HEX[usize::from(byte & 15)] as char);
        }
    }
    out
}

/// Decodes one name or value of a query or form: `+` is a blank, `%XX` a byte; a broken escape stays as it is.
/// `None` when the bytes are not UTF-8.
pub fn form_decode(text: &str) -> Option<String> {
    if !text.bytes().any(|byte| matches!(byte, b'+' | b'%')) {
        return Some(text.to_owned());
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut place = 0;
    while place < bytes.len() {
        let escape = (bytes[place] == b'%').then(|| bytes.get(place + 1..place + 3)).flatten();
        let decoded = escape
            .filter(|pair| pair.iter().all(u8::is_ascii_hexdigit))
            .and_then(|pair| std::str::from_utf8(pair).ok())
            .and_then(|pair| u8::from_str_radix(pair, 16).ok());
        match decoded {
            Some(byte) => {
                out.push(byte);
                place += 3;
            }
            None => {
                out.push(if bytes[place] == b'+' { b' ' } else { bytes[place] });
                place += 1;
            }
        }
    }
    String::from_utf8(out).ok()
}

/// Pairs that are read of a query or form at most: enough for [`PARAMS_MAX`](crate::params::PARAMS_MAX) parameters
/// beside the transport's own, so that more are still told from as many.
pub const PAIRS_MAX: usize = crate::params::PARAMS_MAX + 100;

/// Decodes a query or form body into pairs, in order. `None` when a part is not UTF-8. What is beyond [`PAIRS_MAX`]
/// is left out: no signature fits then, and nothing of it is used.
pub fn form_pairs(text: &str) -> Option<Vec<(String, String)>> {
    text.split('&')
        .filter(|part| !part.is_empty())
        .take(PAIRS_MAX)
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            Some((form_decode(name)?, form_decode(value)?))
        })
        .collect()
}

/// Bytes as lower-case hex.
pub fn hex_lower(bytes: &[u8]) -> String {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        out.push(HEX[usize::from(byte >> 4)] as char);
        out.push(HEX[usize::from(byte & 15)] as char);
    }
    out
}

/// SHA-256 in lower-case hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex_lower(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// HMAC-SHA256.
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message).as_ref().to_vec()
}

/// HMAC-SHA1, which the older schemes still use.
pub fn hmac_sha1(key: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key), message).as_ref().to_vec()
}

/// Whether two texts are the same, in a time that depends on the length only.
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn encoding_follows_rfc_3986() {
        assert_eq!(percent_encode("a b*~/é"), "a%20b%2A~%2F%C3%A9");
        assert_eq!(form_decode("a+b%2B%zz%4").unwrap(), "a b+%zz%4");
        assert_eq!(form_decode("%ff"), None);
        assert_eq!(
            form_pairs("a=1&&b&c=d=e").unwrap(),
            [("a".into(), "1".into()), ("b".into(), String::new()), ("c".into(), "d=e".into())]
        );
        assert_eq!(form_pairs(&"a&".repeat(PAIRS_MAX + 1)).unwrap().len(), PAIRS_MAX);
    }

    proptest! {
        #[test]
        fn decoding_undoes_encoding(text in any::<String>()) {
            prop_assert_eq!(form_decode(&percent_encode(&text)), Some(text));
        }
    }
}
