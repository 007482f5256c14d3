//! Signatures of any envelope: none of these was signed, so none may pass.
#![no_main]

use arbitrary::Arbitrary;
use causeway_dialect::{Dialect, Envelope, Params, Signing};
use causeway_dialect_alibaba::Alibaba;
use causeway_dialect_tencent::Tencent;
use libfuzzer_sys::fuzz_target;

const SCHEMES: [&str; 7] =
    ["", "SKIP", "HMAC-SHA1", "ACS3-HMAC-SHA256", "TC3-HMAC-SHA256", "HmacSHA1", "HmacSHA256"];
/// The fuzzer does not know it.
const SECRET: &str = "f3c1e7b0a94d48d2a6c5d0e8b7a1c2d3";

#[derive(Arbitrary, Debug)]
struct Input {
    scheme: u8,
    strings_to_sign: Vec<String>,
    scope: Vec<String>,
    signature: String,
    timestamp_s: i64,
    language: String,
}

fuzz_target!(|input: Input| {
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
            strings_to_sign: input.strings_to_sign,
            scope: input.scope,
            signature: input.signature,
        },
        wants_xml: false,
        language: input.language,
        host: String::new(),
        params: Params::default(),
    };
    assert!(Alibaba.verify(&envelope, SECRET).is_err());
    assert!(Tencent.verify(&envelope, SECRET).is_err());
});
