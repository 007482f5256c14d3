//! TC3-HMAC-SHA256: the signature stands in the `Authorization` header and covers the raw body.

use causeway_dialect::{Envelope, Request, Signing, encoding, time};

use crate::refusal::Refusal;

/// The scheme's word.
pub const SCHEME: &str = "TC3-HMAC-SHA256";
/// The last part of a credential scope.
const TERMINATOR: &str = "tc3_request";
/// The word that stands for a body that is not signed.
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// What the `Authorization` header says.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The access key id.
    pub secret_id: String,
    /// The service of the credential scope.
    pub service: String,
    /// The signature and what it covers.
    pub signing: Signing,
}

/// Reads the `Authorization` header and makes the texts that the signature may cover.
///
/// # Errors
/// `AuthFailure.InvalidAuthorization` with the defect.
pub fn read(request: &Request, authorization: &str, timestamp: &str) -> Result<Claim, Refusal> {
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
    let signed = signed.ok_or_else(|| invalid("`SignedHeaders` not found."))?;
    let signature = signature.ok_or_else(|| invalid("`Signature` not found."))?;
    let scope: Vec<&str> = credential.split('/').collect();
    let [secret_id, date, service, TERMINATOR] = scope.as_slice() else {
        return Err(invalid("`Credential` not valid."));
    };
    let names: Vec<&str> = signed.split(';').collect();
    if !["content-type", "host"].iter().all(|name| names.contains(name)) {
        return Err(invalid("`SignedHeaders` must contain `content-type` and `host`."));
    }
    // Documentation samples sign header values in lower case, some clients as they are; the Node SDK signs its
    // host without the port that it sends.
    let forms: [fn(&str, &str) -> String; 3] =
        [|_, value| value.to_lowercase(), |_, value| value.to_owned(), without_port];
    let mut blocks: Vec<String> = Vec::new();
    for form in forms {
        let block = canonical_headers(request, &names, form)?;
        if !blocks.contains(&block) {
            blocks.push(block);
        }
    }
    let strings_to_sign = blocks
        .iter()
        .map(|block| {
            let canonical = canonical_request(request, block, signed);
            let digest = encoding::sha256_hex(canonical.as_bytes());
            format!("{SCHEME}\n{timestamp}\n{date}/{service}/{TERMINATOR}\n{digest}")
        })
        .collect();
    let scope = vec![(*date).to_owned(), (*service).to_owned()];
    let signing = Signing { scheme: SCHEME, strings_to_sign, scope, signature: signature.to_owned() };
    Ok(Claim { secret_id: (*secret_id).to_owned(), service: (*service).to_owned(), signing })
}

fn without_port(name: &str, value: &str) -> String {
    match (name, value.rsplit_once(':')) {
        ("host", Some((host, port))) if port.bytes().all(|byte| byte.is_ascii_digit()) => host.to_lowercase(),
        _ => value.to_lowercase(),
    }
}

fn canonical_headers(
    request: &Request,
    names: &[&str],
    form: fn(&str, &str) -> String,
) -> Result<String, Refusal> {
    let mut block = String::new();
    for name in names {
        let value = request.header(name).ok_or_else(|| invalid("a header of `SignedHeaders` not found."))?;
        block.push_str(&format!("{name}:{}\n", form(name, value)));
    }
    Ok(block)
}

fn canonical_request(request: &Request, headers: &str, signed: &str) -> String {
    let is_get = request.method == "GET";
    let query = if is_get { request.query.as_str() } else { "" };
    let is_unsigned = request.header("x-tc-content-sha256") == Some(UNSIGNED);
    let payload: &[u8] = match (is_unsigned, is_get) {
        (true, _) => UNSIGNED.as_bytes(),
        (false, true) => b"",
        (false, false) => &request.body,
    };
    // The path is always `/`, even where an endpoint carries one.
    format!("{}\n/\n{query}\n{headers}\n{signed}\n{}", request.method, encoding::sha256_hex(payload))
}

/// The signature of a string to sign.
pub fn sign(envelope: &Envelope, secret: &str, text: &str) -> String {
    let mut key = format!("TC3{secret}").into_bytes();
    for part in envelope.signing.scope.iter().map(String::as_str).chain([TERMINATOR]) {
        key = encoding::hmac_sha256(&key, part.as_bytes());
    }
    encoding::hex_lower(&encoding::hmac_sha256(&key, text.as_bytes()))
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
