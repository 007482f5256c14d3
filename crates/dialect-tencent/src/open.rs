//! Reading a request: first its outside, the common parameters, from headers (TC3) or from the query or form (the
//! first scheme); then, once the signature was found to be right, the action's parameters as a typed tree.

use causeway_dialect::{Envelope, Params, ParamsError, Request, Signing, encoding};

use crate::action;
use crate::catalog::{self, ActionSpec, Service};
use crate::check;
use crate::manner::bare_host;
use crate::refusal::Refusal;
use crate::signature::{self, tc3, v1};

/// The largest query of a GET request, in bytes.
const QUERY_BYTES_MAX: usize = 32 * 1024;
/// The largest body signed with the first scheme, in bytes.
const V1_BODY_BYTES_MAX: usize = 1024 * 1024;
/// The largest body signed with TC3, in bytes.
const TC3_BODY_BYTES_MAX: usize = 10 * 1024 * 1024;
/// The common parameters of the first scheme: no parameters of the action.
const COMMON: [&str; 11] = [
    "Action",
    "Version",
    "Region",
    "Timestamp",
    "Nonce",
    "SecretId",
    "Signature",
    "SignatureMethod",
    "RequestClient",
    "Language",
    "Token",
];
/// The actions that are called without a signature.
const UNSIGNED_ACTIONS: [&str; 2] = ["AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"];

/// Reads the outside of a request.
///
/// # Errors
/// The gate's refusals of requests that can't be read or name no action.
pub fn open(request: &Request) -> Result<Envelope, Refusal> {
    if !matches!(request.method.as_str(), "GET" | "POST") {
        let text = format!("The HTTP method `{}` is not supported, use GET or POST.", request.method);
        return Err(Refusal::plain("UnsupportedProtocol", text));
    }
    if request.query.len() > QUERY_BYTES_MAX || request.body.len() > TC3_BODY_BYTES_MAX {
        return Err(Refusal::plain("RequestSizeLimitExceeded", "The request size exceeds the limit."));
    }
    match request.header("authorization") {
        Some(authorization) => open_tc3(request, authorization),
        None if request.header("x-tc-action").is_some() => Err(Refusal::missing("Authorization")),
        None => open_v1(request),
    }
}

fn open_tc3(request: &Request, authorization: &str) -> Result<Envelope, Refusal> {
    let header = |name: &str| request.header(name).unwrap_or_default();
    let needed = |name: &str, shown: &str| match header(name) {
        "" => Err(Refusal::missing(shown)),
        value => Ok(value),
    };
    let action = needed("x-tc-action", "Action")?;
    let version = needed("x-tc-version", "Version")?;
    let timestamp_s = seconds(needed("x-tc-timestamp", "Timestamp")?)?;
    let host = bare_host(request.header("host").unwrap_or_default());
    let (secret_id, service, signing) = if authorization == signature::SKIP {
        if !UNSIGNED_ACTIONS.contains(&action) {
            return Err(tc3::invalid("`SKIP` is not allowed for this action."));
        }
        (String::new(), "sts".to_owned(), Signing { scheme: signature::SKIP, ..Signing::default() })
    } else {
        let claim = tc3::read(request, authorization)?;
        (claim.secret_id.to_owned(), claim.service().to_owned(), claim.signing())
    };
    let (service, _) = find_action(&service, host, version, action)?;
    Ok(Envelope {
        service: service.name.to_owned(),
        action: action.to_owned(),
        version: version.to_owned(),
        region: header("x-tc-region").to_owned(),
        access_key: secret_id,
        session_token: Some(header("x-tc-token").to_owned()).filter(|token| !token.is_empty()),
        timestamp_s,
        // The scheme has no nonce, and clients that poll send the same signature twice in a second.
        nonce: None,
        signing,
        wants_xml: false,
        language: header("x-tc-language").to_owned(),
        host: host.to_owned(),
        pairs: Vec::new(),
        params: Params::default(),
    })
}

/// Reads the action's parameters.
///
/// # Errors
/// The gate's refusals of bodies that can't be read.
pub fn read(request: &Request, envelope: &mut Envelope) -> Result<(), Refusal> {
    let service = catalog::service(&envelope.service).ok_or_else(action::lost)?;
    let spec = service.action(&envelope.action).ok_or_else(action::lost)?;
    envelope.params = match envelope.signing.scheme {
        v1::SHA1 | v1::SHA256 => {
            let mut own = std::mem::take(&mut envelope.pairs);
            own.retain(|(name, _)| !COMMON.contains(&name.as_str()));
            flat_params(service, spec, &own)?
        }
        _ if request.method == "GET" => flat_params(service, spec, &pairs_of(&request.query)?)?,
        _ => body_params(request, service, spec)?,
    };
    Ok(())
}

/// The service of a credential scope and its action.
fn find_action(
    service: &str,
    host: &str,
    version: &str,
    action: &str,
) -> Result<(&'static Service, &'static ActionSpec), Refusal> {
    let label = host.split('.').next().unwrap_or_default();
    let Some(found) = catalog::service(service) else {
        // The Node SDK takes the scope's service from the host that it was pointed at: the first label of an
        // address says nothing, so version and action choose, as in the first scheme.
        if label == service || label.split(':').next() == Some(service) {
            return find_action_v1(host, version, action);
        }
        let text = format!("The specified service=`{service}` does not exist.");
        return Err(Refusal::plain("NoSuchProduct", text));
    };
    // One endpoint serves every service; where the cloud's own host was called, it must be the scope's.
    if host.contains(".tencentcloudapi.com") && catalog::service(label).is_some() && label != service {
        return Err(tc3::invalid("`Service` in Credential not valid."));
    }
    if found.version != version {
        return Err(no_such_version(version, service));
    }
    let spec = found.action(action).ok_or_else(|| invalid_action(action, service, version))?;
    Ok((found, spec))
}

fn no_such_version(version: &str, service: &str) -> Refusal {
    let text = format!("The specified api version=`{version}` does not exist in service=`{service}`. ");
    Refusal::plain("NoSuchVersion", text)
}

fn invalid_action(action: &str, service: &str, version: &str) -> Refusal {
    let text = format!(
        "The request action=`{action}` is invalid or not found in service=`{service}` and version=`{version}`."
    );
    Refusal::plain("InvalidAction", text)
}

fn type_error(name: &str) -> Refusal {
    Refusal::plain("InvalidParameter", format!("Parameter `{name}` type error."))
}

/// Seconds since 1970 as clients write them; numbers that no clock shows are none.
fn seconds(text: &str) -> Result<i64, Refusal> {
    text.parse::<u32>().map(i64::from).map_err(|_| type_error("Timestamp"))
}

fn body_params(request: &Request, service: &Service, spec: &ActionSpec) -> Result<Params, Refusal> {
    match request.media_type().as_str() {
        "application/x-www-form-urlencoded" => {
            let text = std::str::from_utf8(&request.body).map_err(|_| not_utf8())?;
            flat_params(service, spec, &pairs_of(text)?)
        }
        "multipart/form-data" | "application/octet-stream" => Err(Refusal::plain(
            "InvalidRequest",
            "The action has no binary parameters; send its parameters as application/json.",
        )),
        _ if request.body.iter().all(u8::is_ascii_whitespace) => Ok(Params::default()),
        _ => Params::from_json(&request.body).map_err(unread),
    }
}

fn not_utf8() -> Refusal {
    Refusal::plain("InvalidRequest", "The request is not encoded in UTF-8.")
}

/// The refusal of parameters that make no tree.
fn unread(error: ParamsError) -> Refusal {
    match &error {
        ParamsError::TooMany => Refusal::plain("InvalidParameter", error.to_string()),
        ParamsError::TooDeep(name) | ParamsError::IndexTooLarge(name) => Refusal::unknown(name),
        ParamsError::Conflict(name) => Refusal::wrong_type(name),
        ParamsError::Malformed(_) => {
            Refusal::plain("InvalidRequest", "The request body is not a valid JSON object.")
        }
    }
}

fn pairs_of(text: &str) -> Result<Vec<(String, String)>, Refusal> {
    encoding::form_pairs(text).ok_or_else(not_utf8)
}

fn flat_params(service: &Service, spec: &ActionSpec, pairs: &[(String, String)]) -> Result<Params, Refusal> {
    let pairs = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let mut params = Params::from_pairs(pairs).map_err(unread)?;
    check::convert(service, spec, &mut params);
    Ok(params)
}

fn open_v1(request: &Request) -> Result<Envelope, Refusal> {
    if request.body.len() > V1_BODY_BYTES_MAX {
        let text = "The provided credentials could not be validated because of exceeding request size limit, \
                    please use new signature method `TC3-HMAC-SHA256`.";
        return Err(Refusal::plain("AuthFailure.SignatureFailure", text));
    }
    let mut pairs = pairs_of(&request.query)?;
    if request.method == "POST" {
        pairs.extend(pairs_of(std::str::from_utf8(&request.body).map_err(|_| not_utf8())?)?);
    }
    let value = |name: &str| {
        let found = pairs.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    for name in ["Action", "Version", "Timestamp", "Nonce", "SecretId", "Signature"] {
        if value(name).is_empty() {
            return Err(Refusal::missing(name));
        }
    }
    let timestamp_s = seconds(&value("Timestamp"))?;
    let nonce = value("Nonce").parse::<u64>().map_err(|_| type_error("Nonce"))?;
    let raw_host = request.header("host").unwrap_or_default();
    let host = bare_host(raw_host);
    let signing = v1::read(&pairs)?;
    let (action, version) = (value("Action"), value("Version"));
    let (service, _) = find_action_v1(host, &version, &action)?;
    Ok(Envelope {
        service: service.name.to_owned(),
        region: value("Region"),
        access_key: value("SecretId"),
        session_token: Some(value("Token")).filter(|token| !token.is_empty()),
        timestamp_s,
        // The Node SDK's nonces have 16 bits: two requests of one second may share one. A replay also has the same
        // signature.
        nonce: Some(format!("{timestamp_s}:{nonce}:{}", signing.signature)),
        signing,
        wants_xml: false,
        language: value("Language"),
        host: host.to_owned(),
        params: Params::default(),
        action,
        version,
        pairs,
    })
}

/// The first scheme names no service: the host's first label does, or version and action together.
fn find_action_v1(
    host: &str,
    version: &str,
    action: &str,
) -> Result<(&'static Service, &'static ActionSpec), Refusal> {
    let label = host.split('.').next().unwrap_or_default();
    let called = catalog::service(label).filter(|service| service.version == version);
    let found = called.filter(|service| service.action(action).is_some());
    if let Some(service) = found.or_else(|| catalog::service_of(version, action)) {
        let spec = service.action(action).ok_or_else(|| invalid_action(action, service.name, version))?;
        return Ok((service, spec));
    }
    let same_version = catalog::services().iter().find(|service| service.version == version);
    match called.or(same_version) {
        Some(service) => Err(invalid_action(action, service.name, version)),
        None => Err(no_such_version(version, catalog::service(label).map_or("vpc", |service| service.name))),
    }
}

#[cfg(test)]
#[path = "open_tests.rs"]
mod tests;
