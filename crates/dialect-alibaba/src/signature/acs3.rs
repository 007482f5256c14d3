//! Signature ACS3-HMAC-SHA256: over method, query, chosen headers and the body's hash.

use causeway_dialect::encoding::{form_pairs, hex_lower, hmac_sha256, sha256_hex};
use causeway_dialect::{Failure, Request};

use crate::signature::v1::canonical_query;

/// The word of the scheme.
pub const SCHEME: &str = "ACS3-HMAC-SHA256";

/// Headers that decide what the request means, and so do all that begin with [`OWN_HEADERS`]: each that was sent must
/// be signed, so that nobody between the client and the service can change it.
const MUST_BE_SIGNED: &[&str] = &["host", "content-type"];
/// What the scheme's own headers begin with.
const OWN_HEADERS: &str = "x-acs-";
/// The hash of the body, in hex.
const CONTENT_HASH: &str = "x-acs-content-sha256";

fn must_be_signed(header: &str) -> bool {
    MUST_BE_SIGNED.contains(&header) || header.starts_with(OWN_HEADERS)
}

/// The parts of an `Authorization` header.
#[derive(Clone, Copy, Debug)]
pub struct Authorization<'a> {
    /// The access key id.
    pub credential: &'a str,
    /// Names of the signed headers, in order, with semicolons between them.
    pub signed_headers: &'a str,
    /// The signature, in hex.
    pub signature: &'a str,
}

/// Reads an `Authorization` header.
///
/// # Errors
/// `IncompleteSignature` when a part is missing.
pub fn read_authorization(value: &str) -> Result<Authorization<'_>, Failure> {
    let unreadable = || super::incomplete("");
    let rest = value.strip_prefix(SCHEME).ok_or_else(unreadable)?;
    let part = |wanted: &str| {
        rest.split(',').find_map(|part| {
            let (name, value) = part.trim().split_once('=')?;
            (name == wanted && !value.is_empty()).then_some(value)
        })
    };
    Ok(Authorization {
        credential: part("Credential").ok_or_else(unreadable)?,
        signed_headers: part("SignedHeaders").ok_or_else(unreadable)?,
        signature: part("Signature").ok_or_else(unreadable)?,
    })
}

/// The canonical form of a request.
fn canonical_request(request: &Request, signed_headers: &str, payload: &str) -> Option<String> {
    let pairs = form_pairs(&request.query)?;
    let query = canonical_query(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let path = if request.path.is_empty() { "/" } else { request.path.as_str() };
    let mut text = String::with_capacity(query.len() + 1024);
    for part in [&request.method, "\n", path, "\n", &query, "\n"] {
        text.push_str(part);
    }
    for name in signed_headers.split(';') {
        for part in [name, ":", request.header(name).unwrap_or_default(), "\n"] {
            text.push_str(part);
        }
    }
    for part in ["\n", signed_headers, "\n", payload] {
        text.push_str(part);
    }
    Some(text)
}

/// The text that is signed.
///
/// # Errors
/// `IncompleteSignature` when a header that must be signed is not, `SignatureDoesNotMatch` when the body is not the one
/// whose hash the headers tell.
pub fn string_to_sign(request: &Request) -> Result<String, Failure> {
    let authorization = read_authorization(request.header("authorization").unwrap_or_default())?;
    let payload = sha256_hex(&request.body);
    let canonical = canonical_request(request, authorization.signed_headers, &payload).unwrap_or_default();
    let text = format!("{SCHEME}\n{}", sha256_hex(canonical.as_bytes()));
    let is_covered = |name: &str| authorization.signed_headers.split(';').any(|signed| signed == name);
    let mut sent = request.headers.iter().map(|(name, _)| name.as_str());
    if !sent.all(|name| is_covered(name) || !must_be_signed(name)) {
        return Err(super::incomplete(&text));
    }
    match request.header(CONTENT_HASH) {
        Some(told) if told != payload => Err(super::mismatch(&text)),
        _ => Ok(text),
    }
}

/// The signature of a text.
pub fn calculate(secret: &str, string_to_sign: &str) -> String {
    hex_lower(&hmac_sha256(secret.as_bytes(), string_to_sign.as_bytes()))
}
