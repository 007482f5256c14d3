//! The first scheme: HMAC-SHA1 or HMAC-SHA256 over the sorted, decoded parameters of a query or form.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use causeway_dialect::{Request, Signing, encoding};

use crate::manner::bare_host;
use crate::refusal::Refusal;

/// The word for HMAC-SHA1, which is also the default.
pub const SHA1: &str = "HmacSHA1";
/// The word for HMAC-SHA256.
pub const SHA256: &str = "HmacSHA256";

/// Reads the signature and its method.
///
/// # Errors
/// `InvalidParameterValue` for another signature method.
pub fn read(pairs: &[(String, String)]) -> Result<Signing, Refusal> {
    let value = |name: &str| pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let scheme = match value("SignatureMethod") {
        None | Some("" | SHA1) => SHA1,
        Some(SHA256) => SHA256,
        Some(other) => return Err(Refusal::value("SignatureMethod", other)),
    };
    let signature = value("Signature").unwrap_or_default().to_owned();
    Ok(Signing { scheme, scope: Vec::new(), signature })
}

/// The texts that the signature may cover: clients sign the host in different forms.
pub fn strings_to_sign(request: &Request, pairs: &[(String, String)]) -> Vec<String> {
    let raw_host = request.header("host").unwrap_or_default();
    let host = bare_host(raw_host);
    let hosts = if raw_host == host { vec![host] } else { vec![raw_host, host] };
    let mut sorted: Vec<&(String, String)> = pairs.iter().filter(|(name, _)| name != "Signature").collect();
    sorted.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
    let joined: Vec<String> = sorted.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let joined = joined.join("&");
    hosts.iter().map(|host| format!("{}{host}/?{joined}", request.method)).collect()
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
