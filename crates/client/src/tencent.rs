//! Signs requests for the Tencent Cloud API (TC3-HMAC-SHA256).

use causeway_dialect::encoding::{hex_lower, hmac_sha256, sha256_hex};
use causeway_dialect::time::utc_date;
use causeway_model::Millis;
use serde_json::Value;

use crate::request::{AccessKey, SignedRequest};

const SIGNED_HEADERS: &str = "content-type;host";

/// Where a call goes.
#[derive(Clone, Copy, Debug)]
pub struct Destination<'a> {
    /// The service, such as `vpc`.
    pub service: &'a str,
    /// The API version.
    pub version: &'a str,
    /// The region; empty where none is needed.
    pub region: &'a str,
}

/// Signs a call of an action.
pub fn sign(
    key: &AccessKey,
    host: &str,
    to: Destination<'_>,
    action: &str,
    parameters: &Value,
    now: Millis,
) -> SignedRequest {
    let body = parameters.to_string();
    let payload = sha256_hex(body.as_bytes());
    let canonical =
        format!("POST\n/\n\ncontent-type:application/json\nhost:{host}\n\n{SIGNED_HEADERS}\n{payload}");
    let date = utc_date(now.seconds());
    let scope = format!("{date}/{}/tc3_request", to.service);
    let timestamp = now.seconds().to_string();
    let to_sign = format!("TC3-HMAC-SHA256\n{timestamp}\n{scope}\n{}", sha256_hex(canonical.as_bytes()));
    let mut derived = hmac_sha256(format!("TC3{}", key.secret).as_bytes(), date.as_bytes());
    for part in [to.service, "tc3_request"] {
        derived = hmac_sha256(&derived, part.as_bytes());
    }
    let signature = hex_lower(&hmac_sha256(&derived, to_sign.as_bytes()));
    let authorization = format!(
        "TC3-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={SIGNED_HEADERS}, Signature={signature}",
        key.id
    );
    let mut headers: Vec<(String, String)> = [
        ("host", host),
        ("content-type", "application/json"),
        ("x-tc-action", action),
        ("x-tc-version", to.version),
        ("x-tc-timestamp", &timestamp),
        ("x-tc-language", "en-US"),
        ("authorization", &authorization),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    if !to.region.is_empty() {
        headers.push(("x-tc-region".to_owned(), to.region.to_owned()));
    }
    SignedRequest { method: "POST", target: "/".to_owned(), headers, body }
}
