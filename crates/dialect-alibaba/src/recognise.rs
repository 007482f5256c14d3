//! Whether a request speaks this dialect.

use causeway_dialect::Request;

use crate::product;

/// Parameter names that only this cloud's requests carry.
const OWN_PARAMETERS: &[&str] = &["AccessKeyId", "SignatureNonce", "SignatureVersion", "BearerToken"];

/// Whether a request speaks this dialect: by its headers, its host or its common parameters.
pub fn recognises(request: &Request) -> bool {
    let has_own_header = request.header("x-acs-action").is_some()
        || request.header("x-acs-version").is_some()
        || request.header("authorization").is_some_and(|value| value.starts_with("ACS3-"));
    has_own_header
        || request.header("host").is_some_and(product::is_cloud_host)
        || has_own_parameter(&request.query)
        || form_text(request).is_some_and(has_own_parameter)
}

fn has_own_parameter(text: &str) -> bool {
    text.split('&').any(|part| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        OWN_PARAMETERS.contains(&name) || (name == "Version" && product::of_version(value).is_some())
    })
}

/// The body as text, when it is a form. A missing content type counts as one: old clients send none.
pub fn form_text(request: &Request) -> Option<&str> {
    let media_type = request.media_type();
    if media_type.is_empty() || media_type == "application/x-www-form-urlencoded" {
        std::str::from_utf8(&request.body).ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(query: &str, headers: &[(&str, &str)], body: &str) -> Request {
        Request {
            method: "POST".into(),
            path: "/".into(),
            query: query.into(),
            headers: headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            body: body.to_owned().into(),
        }
    }

    #[test]
    fn own_requests_are_recognised_and_others_are_not() {
        assert!(recognises(&request("", &[("x-acs-action", "DescribeRegions")], "")));
        assert!(recognises(&request("", &[("authorization", "ACS3-HMAC-SHA256 Credential=a")], "")));
        assert!(recognises(&request("Action=A&AccessKeyId=k", &[], "")));
        assert!(recognises(&request("Action=A&Version=2016-04-28", &[], "")));
        assert!(recognises(&request("", &[], "Action=A&AccessKeyId=k")));
        assert!(recognises(&request("", &[("host", "vpc.aliyuncs.com")], "")));
        let other = [("authorization", "TC3-HMAC-SHA256 Credential=a"), ("x-tc-action", "DescribeVpcs")];
        assert!(!recognises(&request("", &other, "{}")));
        assert!(!recognises(&request("Action=A&SecretId=k&Nonce=1&Version=2017-03-12", &[], "")));
    }
}
