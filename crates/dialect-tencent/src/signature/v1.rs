//! The first scheme: HMAC-SHA1 or HMAC-SHA256 over the sorted, decoded parameters of a query or form.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use causeway_dialect::{Signing, encoding};

use crate::refusal::Refusal;

/// The word for HMAC-SHA1, which is also the default.
pub const SHA1: &str = "HmacSHA1";
/// The word for HMAC-SHA256.
pub const SHA256: &str = "HmacSHA256";

/// Makes the texts that the signature may cover. `hosts` are the forms of the host that clients sign.
///
/// # Errors
/// `InvalidParameterValue` for another signature method.
pub fn read(method: &str, hosts: &[&str], pairs: &[(String, String)]) -> Result<Signing, Refusal> {
    let value = |name: &str| pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let scheme = match value("SignatureMethod") {
        None | Some("" | SHA1) => SHA1,
        Some(SHA256) => SHA256,
        Some(other) => return Err(Refusal::value("SignatureMethod", other)),
    };
    let mut sorted: Vec<&(String, String)> = pairs.iter().filter(|(name, _)| name != "Signature").collect();
    sorted.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
    let joined: Vec<String> = sorted.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let joined = joined.join("&");
    let strings_to_sign = hosts.iter().map(|host| format!("{method}{host}/?{joined}")).collect();
    let signature = value("Signature").unwrap_or_default().to_owned();
    Ok(Signing { scheme, strings_to_sign, scope: Vec::new(), signature })
}

/// The signature of a text, in base64.
pub fn sign(scheme: &str, secret: &str, text: &str) -> String {
    let code = if scheme == SHA256 {
        encoding::hmac_sha256(secret.as_bytes(), text.as_bytes())
    } else {
        encoding::hmac_sha1(secret.as_bytes(), text.as_bytes())
    };
    STANDARD.encode(code)
}
