//! Anything on the wire, read as Alibaba Cloud's API: headers, signature version 1.0, ACS3, query, form and JSON.
#![no_main]

use causeway_dialect_alibaba::Alibaba;
use causeway_fuzz::natural::{http, structured};
use causeway_fuzz::{Wire, World};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let request = http(data).or_else(|| Some(structured::<Wire>(data)?.request()));
    let Some(request) = request else { return };
    World::new(&[&Alibaba]).call(&Alibaba, &request);
});
