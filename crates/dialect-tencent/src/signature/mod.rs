//! The two signature schemes.

pub mod tc3;
pub mod v1;

use causeway_dialect::{Envelope, encoding};

use crate::refusal::Refusal;

/// The scheme of requests that need no signature.
pub const SKIP: &str = "SKIP";

/// Checks the signature of an opened request, in constant time.
///
/// # Errors
/// `AuthFailure.SignatureFailure`.
pub fn verify(envelope: &Envelope, secret: &str) -> Result<(), Refusal> {
    let given = envelope.signing.signature.as_bytes();
    let mut is_right = false;
    for text in &envelope.signing.strings_to_sign {
        let wanted = match envelope.signing.scheme {
            tc3::SCHEME => tc3::sign(envelope, secret, text),
            v1::SHA1 | v1::SHA256 => v1::sign(envelope.signing.scheme, secret, text),
            _ => return Err(failure()),
        };
        // Every candidate is tried, so that the time tells nothing.
        is_right |= encoding::constant_time_eq(wanted.as_bytes(), given);
    }
    if is_right && tc3::date_fits(envelope) { Ok(()) } else { Err(failure()) }
}

fn failure() -> Refusal {
    Refusal::new(
        "AuthFailure.SignatureFailure",
        "The provided credentials could not be validated. Please check your signature is correct.",
        "请求签名验证失败，请检查您的签名计算是否正确。",
    )
}
