//! Anything on the wire, read as Tencent Cloud's API: headers, TC3, the first scheme, query, form and JSON.
#![no_main]

use causeway_dialect_tencent::Tencent;
use causeway_fuzz::natural::{http, structured};
use causeway_fuzz::{Wire, World};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let request = http(data).or_else(|| Some(structured::<Wire>(data)?.request()));
    let Some(request) = request else { return };
    World::new(&[&Tencent]).call(&Tencent, &request);
});
