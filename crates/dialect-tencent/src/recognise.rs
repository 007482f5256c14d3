//! Whether a request speaks this API.

use causeway_dialect::Request;

use crate::signature::tc3;

/// Requests with the API's headers, its credential, or its host.
pub fn recognises(request: &Request) -> bool {
    let is_tc3 = request.header("authorization").is_some_and(|value| value.starts_with(tc3::SCHEME));
    let has_headers = ["x-tc-action", "x-tc-version"].iter().any(|name| request.header(name).is_some());
    let is_host = request.header("host").is_some_and(|host| host.contains(".tencentcloudapi.com"));
    is_tc3 || has_headers || is_host || names_secret_id(&request.query) || form_names_secret_id(request)
}

fn form_names_secret_id(request: &Request) -> bool {
    let is_form = request.media_type() == "application/x-www-form-urlencoded";
    is_form && std::str::from_utf8(&request.body).is_ok_and(names_secret_id)
}

fn names_secret_id(pairs: &str) -> bool {
    pairs.split('&').any(|pair| pair.starts_with("SecretId="))
}
