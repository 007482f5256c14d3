//! How an answer is wanted, read from however broken a request.

use causeway_dialect::{Manner, Request, encoding};

/// The action, language and host as far as they can be read, and a fresh request id.
pub fn read(request: &Request, random: u128) -> Manner {
    let host = bare_host(request.header("host").unwrap_or_default()).to_owned();
    let common = |header: &str, parameter: &str| match request.header(header) {
        Some(value) => value.to_owned(),
        None => parameter_of(request, parameter).unwrap_or_default(),
    };
    Manner {
        request_id: uuid(random),
        wants_xml: false,
        action: common("x-tc-action", "Action"),
        host,
        language: common("x-tc-language", "Language"),
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

/// A random UUID (RFC 9562 version 4) of a random number.
fn uuid(random: u128) -> String {
    let version = (random & !(0xf << 76)) | (0x4 << 76);
    let number = (version & !(0x3 << 62)) | (0x2 << 62);
    let hex = format!("{number:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_are_random_uuids() {
        assert_eq!(uuid(0), "00000000-0000-4000-8000-000000000000");
        assert_eq!(uuid(u128::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }

    #[test]
    fn hosts_lose_their_scheme() {
        for host in ["127.0.0.1:80", "http://127.0.0.1:80", "https://127.0.0.1:80/"] {
            assert_eq!(bare_host(host), "127.0.0.1:80");
        }
    }
}
