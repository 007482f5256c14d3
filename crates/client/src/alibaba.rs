//! Signs requests for the Alibaba Cloud API (ACS3-HMAC-SHA256).

use causeway_dialect::encoding::{hex_lower, hmac_sha256, percent_encode, sha256_hex};
use causeway_dialect::time::iso_utc;
use causeway_model::Millis;

use crate::request::{AccessKey, SignedRequest};

const SIGNED_HEADERS: &str =
    "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version";

/// Signs a call of an action with its parameters in the query.
pub fn sign(
    key: &AccessKey,
    host: &str,
    version: &str,
    action: &str,
    parameters: &[(String, String)],
    now: Millis,
    nonce: u128,
) -> SignedRequest {
    let mut pairs: Vec<(String, String)> =
        parameters.iter().map(|(name, value)| (percent_encode(name), percent_encode(value))).collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let query = pairs.join("&");
    let payload = sha256_hex(b"");
    let signed: Vec<(String, String)> = [
        ("host", host.to_owned()),
        ("x-acs-action", action.to_owned()),
        ("x-acs-content-sha256", payload.clone()),
        ("x-acs-date", iso_utc(now)),
        ("x-acs-signature-nonce", format!("{nonce:032x}")),
        ("x-acs-version", version.to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let canonical_headers: String = signed.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let canonical = format!("POST\n/\n{query}\n{canonical_headers}\n{SIGNED_HEADERS}\n{payload}");
    let to_sign = format!("ACS3-HMAC-SHA256\n{}", sha256_hex(canonical.as_bytes()));
    let signature = hex_lower(&hmac_sha256(key.secret.as_bytes(), to_sign.as_bytes()));
    let authorization = format!(
        "ACS3-HMAC-SHA256 Credential={},SignedHeaders={SIGNED_HEADERS},Signature={signature}",
        key.id
    );
    let mut headers = signed;
    headers.push(("accept".to_owned(), "application/json".to_owned()));
    headers.push(("authorization".to_owned(), authorization));
    SignedRequest { method: "POST", target: format!("/?{query}"), headers, body: String::new() }
}
