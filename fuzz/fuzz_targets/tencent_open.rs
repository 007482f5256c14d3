//! Anything on the wire, read as Tencent Cloud's API: headers, TC3, the first scheme, query, form and JSON.
#![no_main]

use causeway_dialect_tencent::Tencent;
use causeway_fuzz::{Wire, World};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|wire: Wire| {
    World::new(&[&Tencent]).call(&Tencent, &wire.request());
});
