//! How an answer is wanted, read from however broken a request.

use causeway_dialect::{Envelope, Manner, Request, encoding};

use crate::task;

/// The action, language and host as far as they can be read, and a fresh request id.
pub fn read(request: &Request, random: u128) -> Manner {
    let host = bare_host(request.header("host").unwrap_or_default()).to_owned();
    let common = |header: &str, parameter: &str| match request.header(header) {
        Some(value) => value.to_owned(),
        None => parameter_of(request, parameter).unwrap_or_default(),
    };
    Manner {
        request_id: task::request_id(random),
        wants_xml: false,
        action: common("x-tc-action", "Action"),
        host,
        language: common("x-tc-language", "Language"),
    }
}

/// The id of a request: one that deletes a connection carries the connection's id.
pub fn request_id(envelope: &Envelope, random: u128) -> String {
    match envelope.action.as_str() {
        "DeleteVpnConnection" => {
            task::deletion_id(&envelope.params.text("VpnConnectionId").unwrap_or_default(), random)
        }
        _ => task::request_id(random),
    }
}

/// A host without the scheme that some clients put before it.
pub fn bare_host(host: &str) -> &str {
    let host = host.strip_prefix("http://").or_else(|| host.strip_prefix("https://")).unwrap_or(host);
    host.trim_end_matches('/')
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
