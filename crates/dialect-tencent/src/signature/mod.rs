//! The two signature schemes.

mod derived;
pub mod tc3;
pub mod v1;

use aws_lc_rs::hmac;
use causeway_dialect::{Envelope, Request, encoding};

use crate::refusal::Refusal;

/// The scheme of requests that need no signature.
pub const SKIP: &str = "SKIP";

/// Checks the signature of an opened request, in constant time.
///
/// # Errors
/// `AuthFailure.SignatureFailure`, and what is wrong with the `Authorization` header.
pub fn verify(request: &Request, envelope: &Envelope, secret: &str) -> Result<(), Refusal> {
    let signing = &envelope.signing;
    let given = signing.signature.as_bytes();
    let fits = |wanted: String| encoding::constant_time_eq(wanted.as_bytes(), given);
    let is_right = match signing.scheme {
        tc3::SCHEME => {
            let texts = tc3::strings_to_sign(request)?;
            let fits_key = |key: &hmac::Key| texts.iter().any(|text| fits(tc3::sign(key, text)));
            tc3::date_fits(envelope)
                && derived::with_key(&envelope.access_key, secret, &signing.scope, fits_key)
        }
        scheme @ (v1::SHA1 | v1::SHA256) => {
            let texts = v1::strings_to_sign(request, &envelope.pairs);
            texts.iter().any(|text| fits(v1::sign(scheme, secret, text)))
        }
        _ => false,
    };
    if is_right { Ok(()) } else { Err(failure()) }
}

fn failure() -> Refusal {
    Refusal::new(
        "AuthFailure.SignatureFailure",
        "The provided credentials could not be validated. Please check your signature is correct.",
        "请求签名验证失败，请检查您的签名计算是否正确。",
    )
}
