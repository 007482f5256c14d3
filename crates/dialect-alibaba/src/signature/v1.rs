//! Signature version 1.0: HMAC-SHA1 over all query and form parameters.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use causeway_dialect::encoding::{hmac_sha1, percent_encode};
use causeway_model::Secret;

/// The word of the scheme, as `SignatureMethod` names it.
pub const SCHEME: &str = "HMAC-SHA1";

/// The canonical query of decoded pairs: sorted by name, encoded, joined.
pub fn canonical_query<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut sorted: Vec<(&str, &str)> = pairs.into_iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(b.0));
    let parts: Vec<String> = sorted
        .into_iter()
        .map(|(name, value)| format!("{}={}", percent_encode(name), percent_encode(value)))
        .collect();
    parts.join("&")
}

/// The text that is signed. `pairs` are all decoded parameters of query and form; `Signature` is left out.
pub fn string_to_sign(method: &str, pairs: &[(String, String)]) -> String {
    let signed = pairs
        .iter()
        .filter(|(name, _)| name != "Signature")
        .map(|(name, value)| (name.as_str(), value.as_str()));
    format!("{method}&%2F&{}", percent_encode(&canonical_query(signed)))
}

/// The signature of a text.
pub fn calculate(secret: &str, string_to_sign: &str) -> String {
    // Wiped when it goes, as every copy of a secret.
    let key = Secret::new(format!("{secret}&"));
    STANDARD.encode(hmac_sha1(key.expose().as_bytes(), string_to_sign.as_bytes()))
}
