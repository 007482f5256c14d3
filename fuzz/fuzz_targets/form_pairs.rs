//! Queries and forms: pairs, and the tree that they make.
#![no_main]

use causeway_dialect::Params;
use causeway_dialect::encoding::{form_decode, form_pairs, percent_encode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    assert_eq!(form_decode(&percent_encode(text)).as_deref(), Some(text));
    let Some(pairs) = form_pairs(text) else { return };
    let _ = Params::from_pairs(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
});
