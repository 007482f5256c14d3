//! Signatures of any request: none of these was signed, so none may pass.
#![no_main]

use arbitrary::Arbitrary;
use causeway_dialect::{Dialect, Envelope, Params, Request, Signing};
use causeway_dialect_alibaba::Alibaba;
use causeway_dialect_tencent::Tencent;
use causeway_fuzz::natural::{http, structured};
use libfuzzer_sys::fuzz_target;

const SCHEMES: [&str; 7] =
    ["", "SKIP", "HMAC-SHA1", "ACS3-HMAC-SHA256", "TC3-HMAC-SHA256", "HmacSHA1", "HmacSHA256"];
/// Headers that signatures are read from or cover.
const HEADERS: [&str; 6] =
    ["authorization", "host", "content-type", "x-tc-timestamp", "x-acs-date", "x-acs-signature-nonce"];
/// The fuzzer does not know it.
const SECRET: &str = "f3c1e7b0a94d48d2a6c5d0e8b7a1c2d3";

#[derive(Arbitrary, Debug)]
struct Input {
    scheme: u8,
    pairs: Vec<(String, String)>,
    headers: Vec<(u8, String)>,
    query: String,
    body: Vec<u8>,
    scope: Vec<String>,
    signature: String,
    timestamp_s: i64,
    language: String,
}

/// Requests as real clients signed them, with another secret.
fn recorded(request: &Request) {
    let dialects: [&dyn Dialect; 2] = [&Alibaba, &Tencent];
    for dialect in dialects {
        if let Ok(envelope) = dialect.open(request) {
            assert!(dialect.verify(request, &envelope, SECRET).is_err());
        }
    }
}

fuzz_target!(|data: &[u8]| {
    if let Some(request) = http(data) {
        return recorded(&request);
    }
    let Some(input) = structured::<Input>(data) else { return };
    let envelope = Envelope {
        service: "vpc".to_owned(),
        action: "DescribeVpcs".to_owned(),
        version: String::new(),
        region: String::new(),
        access_key: "id".to_owned(),
        session_token: None,
        timestamp_s: input.timestamp_s,
        nonce: None,
        signing: Signing {
            scheme: SCHEMES[usize::from(input.scheme) % SCHEMES.len()],
            scope: input.scope,
            signature: input.signature,
        },
        wants_xml: false,
        language: input.language,
        host: String::new(),
        pairs: input.pairs,
        params: Params::default(),
    };
    let name = |place: u8| HEADERS[usize::from(place) % HEADERS.len()].to_owned();
    let request = Request {
        method: "POST".to_owned(),
        path: "/".to_owned(),
        query: input.query,
        headers: input.headers.into_iter().map(|(place, value)| (name(place), value)).collect(),
        body: input.body.into(),
    };
    assert!(Alibaba.verify(&request, &envelope, SECRET).is_err());
    assert!(Tencent.verify(&request, &envelope, SECRET).is_err());
});
