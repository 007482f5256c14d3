//! How an answer is wanted, read from however broken a request.

use causeway_dialect::{Manner, Request, encoding};

use crate::task;

/// The action, language and host as far as they can be read, and a fresh request id.
pub fn read(request: &Request, random: u128) -> Manner {
    let host = bare_host(request.header("host").unwrap_or_default()).to_owned();
    let common = |header: &str, parameter: &str| match request.header(header) {
        Some(value) => value.to_owned(),
        None => parameter_of(request, parameter).unwrap_or_default(),
    };
    let action = common("x-tc-action", "Action");
    let request_id = match action.as_str() {
        "DeleteVpnConnection" => task::deletion_id(&deleted(request).unwrap_or_default(), random),
        _ => task::request_id(random),
    };
    Manner { request_id, wants_xml: false, action, host, language: common("x-tc-language", "Language") }
}

/// A host without the scheme that some clients put before it.
pub fn bare_host(host: &str) -> &str {
    let host = host.strip_prefix("http://").or_else(|| host.strip_prefix("https://")).unwrap_or(host);
    host.trim_end_matches('/')
}

/// The connection that a request deletes; its id becomes a part of the request's id.
fn deleted(request: &Request) -> Option<String> {
    const NAME: &str = "VpnConnectionId";
    let from_json = || {
        let body: serde_json::Value = serde_json::from_slice(&request.body).ok()?;
        Some(body.get(NAME)?.as_str()?.to_owned())
    };
    parameter_of(request, NAME).or_else(from_json)
}

fn parameter_of(request: &Request, name: &str) -> Option<String> {
    let is_form = request.media_type() == "application/x-www-form-urlencoded";
    let body = if is_form { std::str::from_utf8(&request.body).unwrap_or_default() } else { "" };
    let raw =
        [request.query.as_str(), body].into_iter().flat_map(|pairs| pairs.split('&')).find_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            (key == name).then_some(value)
        })?;
    encoding::form_decode(raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_lose_their_scheme() {
        for host in ["127.0.0.1:80", "http://127.0.0.1:80", "https://127.0.0.1:80/"] {
            assert_eq!(bare_host(host), "127.0.0.1:80");
        }
    }
}
