//! Request signatures: what was signed, and whether the signature fits.

pub mod acs3;
pub mod v1;

use causeway_dialect::encoding::constant_time_eq;
use causeway_dialect::{Envelope, Failure, Request};

/// Octets of a string to sign that a refusal repeats. Clients compare theirs with it, and theirs are small; the one of
/// a large body would be five times as large as the body.
const SHOWN_BYTES_MAX: usize = 64 * 1024;

/// The start of a string to sign.
fn shown(string_to_sign: &str) -> &str {
    &string_to_sign[..string_to_sign.floor_char_boundary(SHOWN_BYTES_MAX)]
}

/// HTTP 400 for a signature that does not fit. The tail after the colon is read by clients, which compare it
/// with their own text; without it the old Python SDK crashes.
fn mismatch(string_to_sign: &str) -> Failure {
    let shown = shown(string_to_sign);
    let message =
        format!("Specified signature is not matched with our calculation. server string to sign is:{shown}");
    Failure::new(400, "SignatureDoesNotMatch", message)
}

/// HTTP 400 for a signature that can't be read or leaves out what it must cover.
fn incomplete(string_to_sign: &str) -> Failure {
    let shown = shown(string_to_sign);
    let message = format!(
        "The request signature does not conform to Aliyun standards. server string to sign is:{shown}"
    );
    Failure::new(400, "IncompleteSignature", message)
}

/// The text that a request's signature covers.
///
/// # Errors
/// As [`acs3::string_to_sign`].
pub fn string_to_sign(request: &Request, envelope: &Envelope) -> Result<String, Failure> {
    match envelope.signing.scheme {
        acs3::SCHEME => acs3::string_to_sign(request),
        _ => Ok(v1::string_to_sign(&request.method, &envelope.pairs)),
    }
}

/// Checks the signature of an opened request, in constant time.
///
/// # Errors
/// `SignatureDoesNotMatch`, `IncompleteSignature`.
pub fn verify(request: &Request, envelope: &Envelope, secret: &str) -> Result<(), Failure> {
    let signing = &envelope.signing;
    let text = string_to_sign(request, envelope)?;
    let calculated = match signing.scheme {
        acs3::SCHEME => acs3::calculate(secret, &text),
        _ => v1::calculate(secret, &text),
    };
    let fits = constant_time_eq(calculated.as_bytes(), signing.signature.as_bytes());
    if fits { Ok(()) } else { Err(mismatch(&text)) }
}
