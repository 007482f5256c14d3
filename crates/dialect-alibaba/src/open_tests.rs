use serde_json::Value;

use super::*;
use crate::signature::{string_to_sign, verify};

const SDK_REQUESTS: &str = include_str!("../../../specs/alibaba/vectors/sdk_requests.jsonl");
const GO_REQUESTS: &str = include_str!("../../../specs/alibaba/vectors/go_requests.jsonl");
const SECRET: &str = "testsecret";

fn recorded() -> Vec<Value> {
    let lines = SDK_REQUESTS.lines().chain(GO_REQUESTS.lines());
    lines.filter(|line| !line.trim().is_empty()).map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_default()
}

fn request(recorded: &Value) -> Request {
    let headers = recorded["headers"].as_object().unwrap();
    Request {
        method: text(recorded, "method").to_owned(),
        path: text(recorded, "path").to_owned(),
        query: text(recorded, "raw_query").to_owned(),
        headers: headers
            .iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value.as_str().unwrap().to_owned()))
            .collect(),
        body: text(recorded, "body").to_owned().into(),
    }
}

/// A request that is opened and whose parameters are read.
fn read_whole(request: &Request) -> Result<Envelope, Failure> {
    let mut envelope = open(request)?;
    read(request, &mut envelope)?;
    Ok(envelope)
}

#[test]
fn every_recorded_request_opens_and_verifies() {
    let all = recorded();
    assert!(all.len() > 30);
    for recorded in &all {
        let request = request(recorded);
        let envelope = open(&request).unwrap_or_else(|failure| panic!("{failure:?}: {recorded}"));
        assert_eq!(envelope.action, text(recorded, "action"));
        assert!(["testid", "STS.id"].contains(&envelope.access_key.as_str()));
        let signed = string_to_sign(&request, &envelope).unwrap();
        if let Some(wanted) = recorded["v1"]["sts"].as_str() {
            assert_eq!(signed, wanted);
        }
        if let Some(canonical) = recorded["acs3"]["canonical_request"].as_str() {
            let hash = causeway_dialect::encoding::sha256_hex(canonical.as_bytes());
            assert_eq!(signed, format!("ACS3-HMAC-SHA256\n{hash}"));
        }
        verify(&request, &envelope, SECRET).unwrap_or_else(|failure| panic!("{failure:?}: {recorded}"));
        let refused = verify(&request, &envelope, "another secret").unwrap_err();
        assert_eq!(refused.code, "SignatureDoesNotMatch");
        assert_eq!(refused.status, 400);
        assert!(refused.message.ends_with(&signed));
    }
}

#[test]
fn a_changed_query_or_body_does_not_verify() {
    let is_refused = |request: &Request| verify(request, &open(request).unwrap(), SECRET).is_err();
    for recorded in &recorded() {
        let mut changed = request(recorded);
        changed.query.push_str("&Extra=1");
        assert!(is_refused(&changed), "{recorded}");
        if !changed.body.is_empty() {
            let mut changed = request(recorded);
            changed.body = format!("{}1", text(recorded, "body")).into();
            assert!(is_refused(&changed), "{recorded}");
        }
    }
}

#[test]
fn query_and_form_body_are_merged() {
    let recorded = recorded();
    let connection = recorded.iter().find(|it| {
        text(it, "action") == "CreateVpnConnection"
            && text(it, "body").contains("TunnelOptionsSpecification.2")
    });
    let envelope = read_whole(&request(connection.unwrap())).unwrap();
    assert_eq!(envelope.params.text("LocalSubnet").as_deref(), Some("10.0.0.0/8"));
    let tunnels = envelope.params.get("TunnelOptionsSpecification").unwrap().as_array().unwrap();
    assert_eq!(tunnels.len(), 2);
    assert_eq!(tunnels[0]["TunnelIkeConfig"]["Psk"], "p");
    assert!(envelope.params.get("Signature").is_none());
    assert_eq!(envelope.region, "cn-hangzhou");
}

/// A request of the newer scheme with another body. Its signature does not fit.
fn acs3_with(content_type: &str, body: String) -> Request {
    let mut changed = request(recorded().iter().find(|it| it.get("acs3").is_some()).unwrap());
    changed.headers.retain(|(name, _)| name != "content-type");
    changed.headers.push(("content-type".into(), content_type.into()));
    changed.body = body.into();
    changed
}

#[test]
fn a_body_is_looked_at_after_the_signature() {
    let json = acs3_with("application/json", "{".into());
    let mut envelope = open(&json).unwrap();
    assert_eq!(
        verify(&json, &envelope, SECRET).unwrap_err().code,
        "IncompleteSignature",
        "nor is its type signed"
    );
    assert_eq!(read(&json, &mut envelope).unwrap_err().code, "InvalidParameter");
    let large = format!("Large={}&RegionId=cn-shanghai", "x".repeat(FORM_BYTES_MAX));
    let form = acs3_with("application/x-www-form-urlencoded", large);
    let mut envelope = open(&form).unwrap();
    assert!(envelope.pairs.iter().all(|(name, _)| name != "Large"));
    read(&form, &mut envelope).unwrap();
    assert_eq!(envelope.params.text("Large").map(|text| text.len()), Some(FORM_BYTES_MAX));
}

#[test]
fn a_body_with_too_many_or_too_deep_values_is_refused() {
    let wide = format!("{{\"VpcIds\":[{}0]}}", "0,".repeat(2_000));
    let deep = format!("{{\"VpcIds\":{}0{}}}", "[".repeat(20), "]".repeat(20));
    for (body, message) in
        [(wide, "more than 2000 parameters"), (deep, "VpcIds is nested more than 10 levels deep")]
    {
        let json = acs3_with("application/json", body);
        let refused = read_whole(&json).unwrap_err();
        assert_eq!((refused.code.as_str(), refused.message.as_str()), ("InvalidParameter", message));
    }
    let json = acs3_with("application/json", "{\"VpcIds\":[\"vpc-1\"]}".into());
    assert_eq!(read_whole(&json).unwrap().params.get("VpcIds"), Some(&serde_json::json!(["vpc-1"])));
}

#[test]
fn forms_of_the_older_scheme_have_a_limit() {
    let query: Vec<String> = v1_query().iter().map(|(name, value)| format!("{name}={value}")).collect();
    let form = |octets: usize| Request {
        method: "POST".into(),
        path: "/".into(),
        query: query.join("&"),
        headers: Vec::new(),
        body: "x".repeat(octets).into(),
    };
    assert!(open(&form(FORM_BYTES_MAX)).is_ok());
    assert_eq!(open(&form(FORM_BYTES_MAX + 1)).unwrap_err().code, "RequestEntityTooLarge");
}

#[test]
fn a_refusal_repeats_no_more_than_the_start_of_a_large_string_to_sign() {
    let mut pairs = v1_query();
    let large = "é".repeat(100_000);
    pairs.push(("Large", &large));
    let query: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let request = Request {
        method: "GET".into(),
        path: "/".into(),
        query: query.join("&"),
        headers: Vec::new(),
        body: Default::default(),
    };
    let refused = verify(&request, &open(&request).unwrap(), SECRET).unwrap_err();
    assert!(refused.message.contains("server string to sign is:GET&%2F&"));
    assert!(refused.message.len() < 70_000, "{}", refused.message.len());
}

fn v1_query() -> Vec<(&'static str, &'static str)> {
    vec![
        ("Action", "DescribeRegions"),
        ("Version", "2016-04-28"),
        ("AccessKeyId", "k"),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureVersion", "1.0"),
        ("SignatureNonce", "n"),
        ("Timestamp", "2026-11-20T15:58:14Z"),
        ("Signature", "s"),
    ]
}

fn opened(pairs: &[(&str, &str)]) -> Result<Envelope, Failure> {
    let query: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    read_whole(&Request {
        method: "GET".into(),
        path: "/".into(),
        query: query.join("&"),
        headers: vec![("host".into(), "127.0.0.1:8440".into())],
        body: Default::default(),
    })
}

#[test]
fn each_common_parameter_is_mandatory() {
    assert!(opened(&v1_query()).is_ok());
    for left_out in v1_query() {
        let rest: Vec<_> = v1_query().into_iter().filter(|pair| pair.0 != left_out.0).collect();
        let failure = opened(&rest).unwrap_err();
        assert_eq!(failure.code, format!("Missing{}", left_out.0));
        assert_eq!(failure.message, format!("{} is mandatory for this action.", left_out.0));
        assert_eq!(failure.status, 400);
    }
}

#[test]
fn wrong_common_parameters_have_their_codes() {
    let cases = [
        ("Action", "NoSuchAction", 404, "InvalidAction.NotFound"),
        ("Version", "2016-04-29", 400, "InvalidVersion"),
        ("SignatureMethod", "HMAC-MD5", 400, "InvalidSignatureMethod"),
        ("Timestamp", "2026-11-20 15:58:14", 400, "InvalidTimeStamp.Format"),
        ("SignatureVersion", "2.0", 400, "InvalidSignatureVersion"),
        ("AccessKeyId", "STS.k", 400, "MissingSecurityToken"),
    ];
    for (name, value, status, code) in cases {
        let changed: Vec<_> =
            v1_query().into_iter().map(|pair| if pair.0 == name { (name, value) } else { pair }).collect();
        let failure = opened(&changed).unwrap_err();
        assert_eq!((failure.status, failure.code.as_str()), (status, code));
    }
}

#[test]
fn a_header_that_decides_something_must_be_signed() {
    let recorded = recorded();
    // Without a body, so that nothing tells the type of one.
    let is_plain = |it: &&Value| it.get("acs3").is_some() && it["headers"].get("content-type").is_none();
    let signed = request(recorded.iter().find(is_plain).unwrap());
    for (name, code) in [
        ("x-acs-security-token", Some("IncompleteSignature")),
        ("x-acs-accesskey-id", Some("IncompleteSignature")),
        ("x-acs-invented-later", Some("IncompleteSignature")),
        ("content-type", Some("IncompleteSignature")),
        ("x-forwarded-for", None),
        ("accept-encoding", None),
    ] {
        let mut changed = signed.clone();
        changed.headers.retain(|(known, _)| known != name);
        changed.headers.push((name.into(), "application/json".into()));
        let refused = verify(&changed, &open(&changed).unwrap(), SECRET).err();
        assert_eq!(refused.as_ref().map(|it| it.code.as_str()), code, "{name}");
    }
}

/// Signs a request anew with the headers and the body that it has.
fn signed_anew(mut request: Request, signed_headers: &str) -> Request {
    request.headers.retain(|(name, _)| name != "authorization");
    let claim = |signature: &str| {
        format!("ACS3-HMAC-SHA256 Credential=testid,SignedHeaders={signed_headers},Signature={signature}")
    };
    let mut unsigned = request.clone();
    unsigned.headers.push(("authorization".into(), claim("none")));
    let text = match string_to_sign(&unsigned, &open(&unsigned).unwrap()) {
        Ok(text) => text,
        Err(refused) => refused.message.split_once("sign is:").unwrap().1.to_owned(),
    };
    request.headers.push(("authorization".into(), claim(&acs3::calculate(SECRET, &text))));
    request
}

#[test]
fn the_hash_that_a_request_tells_is_the_one_of_its_body() {
    const ALL: &str = "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version";
    let mut plain = request(recorded().iter().find(|it| it.get("acs3").is_some()).unwrap());
    plain.headers.retain(|(name, _)| ALL.split(';').any(|signed| signed == name));
    let set_hash = |request: &mut Request, hash: String| {
        request.headers.retain(|(name, _)| name != "x-acs-content-sha256");
        request.headers.push(("x-acs-content-sha256".into(), hash));
    };
    let refusal = |request: &Request| verify(request, &open(request).unwrap(), SECRET).err();
    plain.body = "Name=a".into();
    set_hash(&mut plain, causeway_dialect::encoding::sha256_hex(b"Name=a"));
    assert_eq!(refusal(&signed_anew(plain.clone(), ALL)), None);
    set_hash(&mut plain, causeway_dialect::encoding::sha256_hex(b"Name=b"));
    // The signature fits, and covers the header.
    let refused = refusal(&signed_anew(plain, ALL)).unwrap();
    assert_eq!(refused.code, "SignatureDoesNotMatch");
}

/// A request of the older scheme with a header and a body that it does not sign.
fn with_unsigned_parts(pairs: &[(&str, &str)]) -> Result<Envelope, Failure> {
    let query: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    read_whole(&Request {
        method: "POST".into(),
        path: "/".into(),
        query: query.join("&"),
        headers: vec![
            ("x-acs-action".into(), "DeleteVpc".into()),
            ("content-type".into(), "application/json".into()),
        ],
        body: "{\"VpcId\":\"vpc-1\"}".into(),
    })
}

#[test]
fn what_the_older_scheme_does_not_sign_decides_nothing() {
    let envelope = with_unsigned_parts(&v1_query()).unwrap();
    assert_eq!(envelope.action, "DescribeRegions");
    assert!(envelope.params.get("VpcId").is_none());
    let without: Vec<_> = v1_query().into_iter().filter(|pair| pair.0 != "Action").collect();
    assert_eq!(with_unsigned_parts(&without).unwrap_err().code, "MissingAction");
}

#[test]
fn the_method_is_get_or_post() {
    let sent = request(&recorded()[0]);
    for (method, code) in [
        ("GET", None),
        ("POST", None),
        ("PUT", Some("UnsupportedHTTPMethod")),
        ("HEAD", Some("UnsupportedHTTPMethod")),
    ] {
        let refused = open(&Request { method: method.into(), ..sent.clone() }).err();
        assert_eq!(refused.as_ref().map(|it| it.code.as_str()), code, "{method}");
    }
}

#[test]
fn request_ids_are_upper_case_uuids() {
    assert_eq!(request_id(0), "00000000-0000-4000-8000-000000000000");
    assert_eq!(request_id(u128::MAX), "FFFFFFFF-FFFF-4FFF-BFFF-FFFFFFFFFFFF");
}

#[test]
fn xml_is_wanted_by_format_in_any_case() {
    for (format, wanted) in [("XML", true), ("xml", true), ("JSON", false), ("None", false), ("odd", false)] {
        let mut pairs = v1_query();
        pairs.push(("Format", format));
        assert_eq!(opened(&pairs).unwrap().wants_xml, wanted, "{format}");
    }
}
