//! TC3-HMAC-SHA256: the signature stands in the `Authorization` header and covers the raw body.

use aws_lc_rs::hmac;
use causeway_dialect::{Envelope, Request, Signing, encoding, time};

use crate::refusal::Refusal;

/// The scheme's word.
pub const SCHEME: &str = "TC3-HMAC-SHA256";
/// The last part of a credential scope.
pub const TERMINATOR: &str = "tc3_request";
/// The word that stands for a body that is not signed.
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// What the `Authorization` header says.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The access key id.
    pub secret_id: &'a str,
    /// Date and service of the credential scope.
    scope: [&'a str; 2],
    signed_headers: &'a str,
    signature: &'a str,
}

impl<'a> Claim<'a> {
    /// The service of the credential scope.
    pub fn service(&self) -> &'a str {
        self.scope[1]
    }

    /// The signature.
    pub fn signing(&self) -> Signing {
        let scope = self.scope.map(str::to_owned).into();
        Signing { scheme: SCHEME, scope, signature: self.signature.to_owned() }
    }
}

/// Reads the `Authorization` header.
///
/// # Errors
/// `AuthFailure.InvalidAuthorization` with the defect.
pub fn read<'a>(request: &Request, authorization: &'a str) -> Result<Claim<'a>, Refusal> {
    let fields = authorization.strip_prefix(SCHEME).ok_or_else(|| invalid("`Algorithm` not valid."))?;
    let mut credential = None;
    let mut signed = None;
    let mut signature = None;
    for part in fields.split(',') {
        match part.trim().split_once('=') {
            Some(("Credential", value)) => credential = Some(value),
            Some(("SignedHeaders", value)) => signed = Some(value),
            Some(("Signature", value)) => signature = Some(value),
            _ => return Err(invalid("the format is not valid.")),
        }
    }
    let credential = credential.ok_or_else(|| invalid("`Credential` not found."))?;
    let signed_headers = signed.ok_or_else(|| invalid("`SignedHeaders` not found."))?;
    let signature = signature.ok_or_else(|| invalid("`Signature` not found."))?;
    let mut scope = credential.split('/');
    let parts = [scope.next(), scope.next(), scope.next(), scope.next(), scope.next()];
    let [Some(secret_id), Some(date), Some(service), Some(TERMINATOR), None] = parts else {
        return Err(invalid("`Credential` not valid."));
    };
    let names = || signed_headers.split(';');
    if !["content-type", "host"].iter().all(|needed| names().any(|name| name == *needed)) {
        return Err(invalid("`SignedHeaders` must contain `content-type` and `host`."));
    }
    if names().any(|name| request.header(name).is_none()) {
        return Err(invalid("a header of `SignedHeaders` not found."));
    }
    Ok(Claim { secret_id, scope: [date, service], signed_headers, signature })
}

/// The texts that the signature may cover, the most usual first. Documentation samples sign header values in lower
/// case, some clients as they are; the Node SDK signs its host without the port that it sends.
///
/// # Errors
/// As [`read`].
pub fn strings_to_sign(request: &Request) -> Result<Vec<String>, Refusal> {
    let claim = read(request, request.header("authorization").unwrap_or_default())?;
    let timestamp = request.header("x-tc-timestamp").unwrap_or_default();
    let forms: [fn(&str, &str) -> String; 3] =
        [|_, value| value.to_lowercase(), |_, value| value.to_owned(), without_port];
    let mut blocks: Vec<String> = Vec::with_capacity(forms.len());
    for form in forms {
        let block = canonical_headers(request, claim.signed_headers, form);
        if !blocks.contains(&block) {
            blocks.push(block);
        }
    }
    let payload = payload_hash(request);
    let query = if request.method == "GET" { request.query.as_str() } else { "" };
    let [date, service] = claim.scope;
    let text = |block: String| {
        // The path is always `/`, even where an endpoint carries one.
        let canonical =
            [&request.method, "\n/\n", query, "\n", &block, "\n", claim.signed_headers, "\n", &payload]
                .concat();
        let digest = encoding::sha256_hex(canonical.as_bytes());
        [SCHEME, "\n", timestamp, "\n", date, "/", service, "/", TERMINATOR, "\n", &digest].concat()
    };
    Ok(blocks.into_iter().map(text).collect())
}

fn without_port(name: &str, value: &str) -> String {
    match (name, value.rsplit_once(':')) {
        ("host", Some((host, port))) if port.bytes().all(|byte| byte.is_ascii_digit()) => host.to_lowercase(),
        _ => value.to_lowercase(),
    }
}

fn canonical_headers(request: &Request, signed_headers: &str, form: fn(&str, &str) -> String) -> String {
    let mut block = String::with_capacity(128);
    for name in signed_headers.split(';') {
        for part in [name, ":", &form(name, request.header(name).unwrap_or_default()), "\n"] {
            block.push_str(part);
        }
    }
    block
}

fn payload_hash(request: &Request) -> String {
    let is_unsigned = request.header("x-tc-content-sha256") == Some(UNSIGNED);
    let payload: &[u8] = match (is_unsigned, request.method == "GET") {
        (true, _) => UNSIGNED.as_bytes(),
        (false, true) => b"",
        (false, false) => &request.body,
    };
    encoding::sha256_hex(payload)
}

/// The signature of a string to sign.
pub fn sign(key: &hmac::Key, text: &str) -> String {
    encoding::hex_lower(hmac::sign(key, text.as_bytes()).as_ref())
}

/// Whether the date of the credential scope is the timestamp's, in UTC. Other schemes have none.
pub fn date_fits(envelope: &Envelope) -> bool {
    envelope.signing.scheme != SCHEME
        || envelope.signing.scope.first().is_some_and(|date| *date == time::utc_date(envelope.timestamp_s))
}

/// A malformed `Authorization` header; the tail names the defect (only the one of `Service` is known).
pub fn invalid(defect: &str) -> Refusal {
    Refusal::plain(
        "AuthFailure.InvalidAuthorization",
        format!("The request `Authorization` header does not conform to tencentcloud standards: {defect}"),
    )
}
