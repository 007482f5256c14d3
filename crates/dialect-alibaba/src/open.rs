//! Reading a request: first its outside (common parameters, product, action, signature), then, once the signature was
//! found to be right, its parameters.

use causeway_dialect::encoding::form_pairs;
use causeway_dialect::time::parse_iso_utc;
use causeway_dialect::{Envelope, Failure, Gate, Manner, Params, Request, Signing};

use crate::params::{invalid, mandatory};
use crate::recognise::form_text;
use crate::signature::{acs3, v1};
use crate::{catalog, gate, product};

/// Parameters of the transport; the rest are the action's own.
const COMMON: &[&str] = &[
    "Action",
    "Version",
    "Format",
    "AccessKeyId",
    "Signature",
    "SignatureMethod",
    "SignatureVersion",
    "SignatureNonce",
    "SignatureType",
    "Timestamp",
    "SecurityToken",
    "BearerToken",
];

/// Keys of temporary credentials begin with this.
const TEMPORARY_KEY: &str = "STS.";

/// Octets of a form that is read before the signature is checked. The older scheme's key stands in it, so that its
/// forms must not be larger; of the newer scheme a larger one is read afterwards.
const FORM_BYTES_MAX: usize = 1024 * 1024;

/// The decoded parameters of query and form, query first.
struct Pairs(Vec<(String, String)>);

/// The form in the body, unless it is too large to be read before the signature is checked.
fn early_form(request: &Request) -> Option<&str> {
    form_text(request).filter(|form| form.len() <= FORM_BYTES_MAX)
}

impl Pairs {
    fn read(request: &Request) -> Option<Pairs> {
        let mut pairs = form_pairs(&request.query)?;
        if let Some(form) = early_form(request) {
            pairs.extend(form_pairs(form)?);
        }
        Some(Pairs(pairs))
    }

    fn get(&self, name: &str) -> Option<&str> {
        first(&self.0, name)
    }

    fn required(&self, name: &str) -> Result<String, Failure> {
        self.get(name).map(str::to_owned).ok_or_else(|| mandatory(name))
    }
}

/// The first parameter of a name; an empty one counts as left out.
fn first<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = pairs.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
}

fn host(request: &Request) -> String {
    let host = request.header("host").unwrap_or_default();
    host.trim_start_matches("http://").trim_start_matches("https://").to_owned()
}

fn wants_xml(request: &Request, pairs: &Pairs) -> bool {
    match pairs.get("Format") {
        Some(format) => format.eq_ignore_ascii_case("XML"),
        None => matches!(request.header("accept"), Some("application/xml" | "text/xml")),
    }
}

fn language(request: &Request, pairs: &Pairs) -> String {
    let wanted = pairs.get("AcceptLanguage").or_else(|| request.header("accept-language"));
    wanted.unwrap_or_default().to_owned()
}

fn action(request: &Request, pairs: &Pairs) -> Option<String> {
    pairs.get("Action").or_else(|| request.header("x-acs-action")).map(str::to_owned)
}

/// How the answer is wanted, of however broken a request.
pub fn manner(request: &Request, random: u128) -> Manner {
    let pairs = Pairs::read(request).unwrap_or(Pairs(Vec::new()));
    Manner {
        request_id: request_id(random),
        wants_xml: wants_xml(request, &pairs),
        action: action(request, &pairs).unwrap_or_default(),
        host: host(request),
        language: language(request, &pairs),
    }
}

/// A request id: a version 4 UUID (RFC 9562) in upper case.
pub fn request_id(random: u128) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let bits = (random & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let mut text = String::with_capacity(36);
    for (place, byte) in bits.to_be_bytes().into_iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push(char::from(HEX[usize::from(byte >> 4)]));
        text.push(char::from(HEX[usize::from(byte & 15)]));
    }
    text
}

/// Reads the outside of a request.
///
/// # Errors
/// The API's refusal of requests that can't be read, lack common parameters, or name no action of its.
pub fn open(request: &Request) -> Result<Envelope, Failure> {
    let host = host(request);
    if product::is_unknown_host(&host) {
        let message = "Cannot find product according to your specified domain.";
        return Err(Failure::new(404, "InvalidProduct.NotFound", message));
    }
    if !matches!(request.method.as_str(), "GET" | "POST") {
        // Unverified: the public table has the code with the message of another one; this is the message elsewhere.
        return Err(Failure::new(400, "UnsupportedHTTPMethod", "This http method is not supported."));
    }
    let pairs = Pairs::read(request).ok_or_else(unreadable)?;
    let action = action(request, &pairs).ok_or_else(|| mandatory("Action"))?;
    let version = pairs.get("Version").or_else(|| request.header("x-acs-version"));
    let version = version.ok_or_else(|| mandatory("Version"))?.to_owned();
    let service = product::of_version(&version).ok_or_else(|| invalid("Version"))?;
    if catalog::find(service, &action).is_none() {
        let message = "Specified api is not found, please check your url and method.";
        return Err(Failure::new(404, "InvalidAction.NotFound", message));
    }
    let authorization = request.header("authorization").filter(|value| value.starts_with("ACS3-"));
    let claim = match authorization {
        Some(value) => claim_of_acs3(request, value)?,
        None if request.body.len() > FORM_BYTES_MAX => return Err(gate::refuse(&Gate::TooLarge)),
        None => claim_of_v1(&pairs)?,
    };
    if claim.access_key.starts_with(TEMPORARY_KEY) && claim.session_token.is_none() {
        return Err(mandatory("SecurityToken"));
    }
    Ok(Envelope {
        service: service.to_owned(),
        action,
        version,
        region: pairs.get("RegionId").unwrap_or_default().to_owned(),
        access_key: claim.access_key,
        session_token: claim.session_token,
        timestamp_s: claim.timestamp_s,
        nonce: Some(claim.nonce),
        signing: claim.signing,
        wants_xml: wants_xml(request, &pairs),
        language: language(request, &pairs),
        host,
        pairs: pairs.0,
        params: Params::default(),
    })
}

/// Reads the action's parameters.
///
/// # Errors
/// The API's refusal of parameters that can't be read.
pub fn read(request: &Request, envelope: &mut Envelope) -> Result<(), Failure> {
    let mut pairs = Pairs(std::mem::take(&mut envelope.pairs));
    if let (Some(form), None) = (form_text(request), early_form(request)) {
        pairs.0.extend(form_pairs(form).ok_or_else(unreadable)?);
        // What the claim was read from comes first, so that it stays what it was.
        envelope.region = pairs.get("RegionId").unwrap_or_default().to_owned();
        envelope.wants_xml = wants_xml(request, &pairs);
        envelope.language = language(request, &pairs);
    }
    envelope.params = params(request, &pairs, envelope.signing.scheme == acs3::SCHEME)?;
    Ok(())
}

fn unreadable() -> Failure {
    Failure::new(400, "InvalidParameter", "The parameters are not valid UTF-8.")
}

/// Who says they sent a request, and when.
struct Claim {
    access_key: String,
    session_token: Option<String>,
    timestamp_s: i64,
    nonce: String,
    signing: Signing,
}

fn timestamp(text: &str) -> Result<i64, Failure> {
    parse_iso_utc(text).ok_or_else(|| {
        let message = "Specified time stamp or date value is not well formatted.";
        Failure::new(400, "InvalidTimeStamp.Format", message)
    })
}

fn claim_of_v1(pairs: &Pairs) -> Result<Claim, Failure> {
    if pairs.get("SignatureType").is_some() {
        // Bearer tokens belong to services that this one does not speak for.
        return Err(invalid("SignatureType"));
    }
    let access_key = pairs.required("AccessKeyId")?;
    // This scheme signs no headers: an action or version that only a header names could be anybody's.
    pairs.required("Action")?;
    pairs.required("Version")?;
    let signature = pairs.required("Signature")?;
    if pairs.required("SignatureMethod")? != v1::SCHEME {
        let message = "Specified signature method is not valid.";
        return Err(Failure::new(400, "InvalidSignatureMethod", message));
    }
    if pairs.required("SignatureVersion")? != "1.0" {
        return Err(invalid("SignatureVersion"));
    }
    Ok(Claim {
        access_key,
        session_token: pairs.get("SecurityToken").map(str::to_owned),
        timestamp_s: timestamp(&pairs.required("Timestamp")?)?,
        nonce: pairs.required("SignatureNonce")?,
        signing: Signing { scheme: v1::SCHEME, scope: Vec::new(), signature },
    })
}

fn claim_of_acs3(request: &Request, value: &str) -> Result<Claim, Failure> {
    let scheme = value.split(' ').next().unwrap_or(value);
    if scheme != acs3::SCHEME {
        let message = "Specified signature method is not valid.";
        return Err(Failure::new(400, "InvalidSignatureMethod", message));
    }
    let authorization = acs3::read_authorization(value)?;
    let date = request.header("x-acs-date").ok_or_else(|| mandatory("Timestamp"))?;
    let nonce = request.header("x-acs-signature-nonce").ok_or_else(|| mandatory("SignatureNonce"))?;
    Ok(Claim {
        session_token: request.header("x-acs-security-token").map(str::to_owned),
        timestamp_s: timestamp(date)?,
        nonce: nonce.to_owned(),
        signing: Signing {
            scheme: acs3::SCHEME,
            scope: Vec::new(),
            signature: authorization.signature.to_owned(),
        },
        access_key: authorization.credential.to_owned(),
    })
}

/// The action's own parameters: query, then form, then the members of a JSON body where the signature covers
/// the body.
fn params(request: &Request, pairs: &Pairs, body_is_signed: bool) -> Result<Params, Failure> {
    let own = pairs
        .0
        .iter()
        .filter(|(name, _)| !COMMON.contains(&name.as_str()))
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let refuse = |error: &dyn std::fmt::Display| Failure::new(400, "InvalidParameter", error.to_string());
    let mut params = Params::from_pairs(own).map_err(|error| refuse(&error))?;
    if body_is_signed && request.media_type() == "application/json" && !request.body.is_empty() {
        let body = Params::from_json(&request.body).map_err(|error| refuse(&error))?;
        for (name, value) in body.0 {
            params.0.entry(name).or_insert(value);
        }
    }
    Ok(params)
}

#[cfg(test)]
#[path = "open_tests.rs"]
mod tests;
