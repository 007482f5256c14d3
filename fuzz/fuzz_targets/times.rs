//! Timestamps of requests: what is read is written back the same.
#![no_main]

use causeway_dialect::time::{china_standard, iso_utc, parse_iso_utc, utc_date};
use causeway_model::Millis;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Some(seconds) = parse_iso_utc(text) {
        assert_eq!(parse_iso_utc(&iso_utc(Millis(seconds * 1000))), Some(seconds));
    }
    // Tencent's timestamps are any number at all.
    let any = || text.bytes().fold(0_i64, |number, byte| number.wrapping_mul(257).wrapping_add(byte.into()));
    let number = text.parse().unwrap_or_else(|_| any());
    let _ = (utc_date(number), iso_utc(Millis(number)), china_standard(Millis(number)));
});
