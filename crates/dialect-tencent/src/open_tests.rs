use bytes::Bytes;
use causeway_dialect::{Envelope, Request};
use serde_json::json;

use super::{open, read};
use crate::refusal::Refusal;
use crate::signature::verify;

const SDK: &str = include_str!("../../../specs/tencent/vectors/sdk_requests.txt");
const CLI: &str = include_str!("../../../specs/tencent/vectors/cli_requests.txt");

/// The requests that clients sent, by the names of their recordings.
fn recorded() -> Vec<(String, Request)> {
    let sections = [SDK, CLI].into_iter().flat_map(|text| text.split("\n=== ").skip(1));
    sections
        .map(|section| {
            let (name, rest) = section.split_once('\n').unwrap();
            let (head, rest) = rest.split_once("\n\n").unwrap();
            let mut lines = head.lines();
            let (method, target) = lines.next().unwrap().split_once(' ').unwrap();
            let target = target.strip_suffix(" HTTP/1.1").unwrap();
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            let headers: Vec<(String, String)> = lines
                .map(|line| line.split_once(": ").unwrap_or((line.trim_end_matches(':'), "")))
                .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
                .collect();
            let length = headers.iter().find(|(name, _)| name == "content-length");
            let length: usize = length.map_or(0, |(_, value)| value.parse().unwrap());
            let body = rest.as_bytes().iter().copied().take(length).collect::<Vec<u8>>();
            let request = Request {
                method: method.to_owned(),
                path: path.to_owned(),
                query: query.to_owned(),
                headers,
                body: Bytes::from(body),
            };
            (name.to_owned(), request)
        })
        .collect()
}

fn request_named(wanted: &str) -> Request {
    recorded().into_iter().find(|(name, _)| name == wanted).map(|(_, request)| request).unwrap()
}

fn set(request: &mut Request, name: &str, value: &str) {
    request.headers.retain(|(known, _)| known != name);
    request.headers.push((name.to_owned(), value.to_owned()));
}

/// A request that is opened and whose parameters are read.
fn read_whole(request: &Request) -> Result<Envelope, Refusal> {
    let mut envelope = open(request)?;
    read(request, &mut envelope)?;
    Ok(envelope)
}

fn opened(name: &str) -> Envelope {
    read_whole(&request_named(name)).unwrap_or_else(|refusal| panic!("{name}: {refusal:?}"))
}

#[test]
fn every_recorded_request_is_opened_and_its_signature_holds() {
    let mut verified = 0;
    for (name, request) in recorded() {
        // A request without signature, and two with bodies that the actions here do not have.
        if ["SkipSign", "multipart", "octet-stream"].contains(&name.as_str()) {
            assert!(read_whole(&request).is_err(), "{name}");
            continue;
        }
        let envelope = open(&request).unwrap_or_else(|refusal| panic!("{name}: {refusal:?}"));
        assert_eq!(verify(&request, &envelope, "SECRETEXAMPLE"), Ok(()), "{name}");
        let code = verify(&request, &envelope, "SECRETEXAMPLF").expect_err("is wrong").code;
        assert_eq!(code, "AuthFailure.SignatureFailure", "{name}");
        let mut changed = request.clone();
        changed.method = "PUT".to_owned();
        assert!(verify(&changed, &envelope, "SECRETEXAMPLE").is_err(), "{name}");
        verified += 1;
    }
    assert!(verified >= 20, "{verified}");
}

#[test]
fn the_forms_of_one_request_mean_the_same() {
    let wanted = json!({
        "Filters": [
            {"Name": "vpn-gateway-name", "Values": ["a b&c", "网关"]},
            {"Name": "type", "Values": ["IPSEC"]},
        ],
        "Offset": 0,
        "Limit": 20,
    });
    let names = [
        "TC3 POST JSON",
        "TC3 GET",
        "TC3 POST UNSIGNED-PAYLOAD",
        "v1 HmacSHA1 POST form",
        "v1 HmacSHA256 POST form",
        "v1 HmacSHA1 GET",
        "v1 HmacSHA256 GET",
    ];
    for name in names {
        let envelope = opened(name);
        assert_eq!(serde_json::Value::Object(envelope.params.0), wanted, "{name}");
        assert_eq!((envelope.service.as_str(), envelope.action.as_str()), ("vpc", "DescribeVpnGateways"));
        assert_eq!((envelope.region.as_str(), envelope.language.as_str()), ("ap-guangzhou", "zh-CN"));
        assert_eq!((envelope.access_key.as_str(), envelope.timestamp_s), ("AKIDEXAMPLE", 1_795_190_116));
        assert_eq!(envelope.nonce.is_some(), name.starts_with("v1"), "{name}");
    }
    let nested = [opened("TC3 GET nested"), opened("TC3 POST nested")];
    assert_eq!(nested[0].params, nested[1].params);
}

#[test]
fn the_literal_host_with_a_scheme_is_signed_as_it_came() {
    let request = request_named("endpoint=http://127.0.0.1:port (scheme in endpoint)");
    let envelope = open(&request).unwrap();
    assert_eq!(envelope.host, "127.0.0.1:44391");
    assert_eq!(verify(&request, &envelope, "SECRETEXAMPLE"), Ok(()));
}

#[test]
fn published_vectors_hold() {
    // Documentation sample of TC3, with the action signed in lower case as well.
    let cases = [
        ("content-type;host", "72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168"),
        ("content-type;host;x-tc-action", "644be983de9a8a3f00db8eadaba61467c3b429e2215758ba897b738ca469fd26"),
    ];
    for (signed, signature) in cases {
        let body =
            r#"{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}"#;
        let authorization = format!(
            "TC3-HMAC-SHA256 Credential=AKID/2019-02-25/cvm/tc3_request, SignedHeaders={signed}, Signature={signature}"
        );
        let mut request = request_named("TC3 POST JSON");
        request.body = Bytes::from(body);
        set(&mut request, "content-type", "application/json; charset=utf-8");
        set(&mut request, "host", "cvm.tencentcloudapi.com");
        set(&mut request, "x-tc-timestamp", "1551113065");
        set(&mut request, "x-tc-action", "DescribeInstances");
        set(&mut request, "authorization", &authorization);
        let claim = crate::signature::tc3::read(&request, &authorization).unwrap();
        let mut envelope = opened("TC3 POST JSON");
        envelope.signing = claim.signing();
        envelope.timestamp_s = 1_551_113_065;
        assert_eq!(verify(&request, &envelope, "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"), Ok(()), "{signed}");
    }
}

#[test]
fn the_published_vector_of_the_first_scheme_holds() {
    let text = "GETcvm.tencentcloudapi.com/?Action=DescribeInstances&InstanceIds.0=ins-09dx96dg&Limit=20&Nonce=11886\
                &Offset=0&Region=ap-guangzhou&SecretId=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE&Timestamp=1465185768\
                &Version=2017-03-12";
    let signature = crate::signature::v1::sign("HmacSHA1", "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE", text);
    assert_eq!(signature, "EliP9YW3pW28FpsEdkXt/+WcGeI=");
}

#[test]
fn a_scope_of_another_day_fails() {
    let request = request_named("TC3 POST JSON");
    let mut envelope = open(&request).unwrap();
    envelope.timestamp_s += 86_400;
    let refusal = verify(&request, &envelope, "SECRETEXAMPLE").expect_err("fails");
    assert_eq!(refusal.code, "AuthFailure.SignatureFailure");
}

#[test]
fn broken_requests_get_the_gates_words() {
    let cases: [(&str, &str, &str, &str); 8] = [
        (
            "x-tc-action",
            "Nope",
            "InvalidAction",
            "The request action=`Nope` is invalid or not found in service=`vpc` and version=`2017-03-12`.",
        ),
        (
            "x-tc-version",
            "2019-07-22",
            "NoSuchVersion",
            "The specified api version=`2019-07-22` does not exist in service=`vpc`. ",
        ),
        ("x-tc-timestamp", "soon", "InvalidParameter", "Parameter `Timestamp` type error."),
        (
            "x-tc-timestamp",
            "",
            "MissingParameter",
            "The request is missing a required parameter `Timestamp`.",
        ),
        (
            "host",
            "cvm.tencentcloudapi.com",
            "AuthFailure.InvalidAuthorization",
            "The request `Authorization` header does not conform to tencentcloud standards: `Service` in Credential not valid.",
        ),
        ("authorization", "SKIP", "AuthFailure.InvalidAuthorization", "SKIP"),
        (
            "authorization",
            "TC3-HMAC-SHA256 Credential=a/b, SignedHeaders=content-type;host, Signature=x",
            "AuthFailure.InvalidAuthorization",
            "`Credential` not valid.",
        ),
        (
            "authorization",
            "TC3-HMAC-SHA256 Credential=a/2026-11-20/nope/tc3_request, SignedHeaders=content-type;host, Signature=x",
            "NoSuchProduct",
            "nope",
        ),
    ];
    for (header, value, code, message) in cases {
        let mut request = request_named("TC3 POST JSON");
        set(&mut request, header, value);
        let refusal = open(&request).expect_err(value);
        assert_eq!(refusal.code, code, "{value}");
        assert!(refusal.en.contains(message), "{}", refusal.en);
    }
    let mut request = request_named("TC3 POST JSON");
    request.method = "PUT".to_owned();
    assert_eq!(open(&request).expect_err("is refused").code, "UnsupportedProtocol");
    let mut request = request_named("TC3 POST JSON");
    request.body = Bytes::from_static(b"[1]");
    assert_eq!(read_whole(&request).expect_err("is refused").code, "InvalidRequest");
    // A body is looked at after the signature.
    let envelope = open(&request).unwrap();
    let refusal = verify(&request, &envelope, "SECRETEXAMPLE").expect_err("is refused");
    assert_eq!(refusal.code, "AuthFailure.SignatureFailure");
    let mut request = request_named("v1 HmacSHA1 GET");
    request.query = request.query.replace("Nonce", "Once");
    let refusal = open(&request).expect_err("is refused");
    assert_eq!(
        (refusal.code, refusal.en.as_str()),
        ("MissingParameter", "The request is missing a required parameter `Nonce`.")
    );
}

#[test]
fn a_body_with_too_many_or_too_deep_values_is_refused() {
    let wide = format!("{{\"VpcIds\":[{}0]}}", "0,".repeat(2_000));
    let deep = format!("{{\"VpcIds\":{}0{}}}", "[".repeat(20), "]".repeat(20));
    for (body, code, message) in [
        (wide, "InvalidParameter", "more than 2000 parameters"),
        (deep, "UnknownParameter", "The parameter `VpcIds` is not recognized."),
    ] {
        let mut request = request_named("TC3 POST JSON");
        request.body = Bytes::from(body);
        let refusal = read_whole(&request).expect_err(code);
        assert_eq!((refusal.code, refusal.en.as_str()), (code, message));
    }
}

#[test]
fn an_empty_body_has_no_parameters() {
    let mut request = request_named("TC3 POST JSON");
    request.body = Bytes::new();
    assert!(read_whole(&request).unwrap().params.0.is_empty());
}
