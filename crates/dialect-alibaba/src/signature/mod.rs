//! Request signatures: what was signed, and whether the signature fits.

pub mod acs3;
pub mod v1;

use causeway_dialect::{Envelope, Failure};

/// HTTP 400 for a signature that does not fit. The tail after the colon is read by clients, which compare it
/// with their own text; without it the old Python SDK crashes.
fn mismatch(string_to_sign: &str) -> Failure {
    let message = format!(
        "Specified signature is not matched with our calculation. server string to sign is:{string_to_sign}"
    );
    Failure::new(400, "SignatureDoesNotMatch", message)
}

/// HTTP 400 for a signature that can't be read or leaves out what it must cover.
fn incomplete(string_to_sign: &str) -> Failure {
    let message = format!(
        "The request signature does not conform to Aliyun standards. server string to sign is:{string_to_sign}"
    );
    Failure::new(400, "IncompleteSignature", message)
}

/// Checks the signature of a request, in constant time.
///
/// # Errors
/// `SignatureDoesNotMatch`.
pub fn verify(envelope: &Envelope, secret: &str) -> Result<(), Failure> {
    let signing = &envelope.signing;
    let calculate: fn(&str, &str) -> String = match signing.scheme {
        acs3::SCHEME => acs3::calculate,
        _ => v1::calculate,
    };
    let fits = signing.strings_to_sign.iter().any(|text| {
        let calculated = calculate(secret, text);
        causeway_dialect::encoding::constant_time_eq(calculated.as_bytes(), signing.signature.as_bytes())
    });
    if fits { Ok(()) } else { Err(mismatch(signing.strings_to_sign.first().map_or("", String::as_str))) }
}
