//! Anything on the wire, read as Alibaba Cloud's API: headers, signature version 1.0, ACS3, query, form and JSON.
#![no_main]

use causeway_dialect_alibaba::Alibaba;
use causeway_fuzz::{Wire, World};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|wire: Wire| {
    World::new(&[&Alibaba]).call(&Alibaba, &wire.request());
});
