//! A downloaded configuration that is read back, and the text made of it.
#![no_main]

use causeway_dialect_alibaba::download;
use causeway_fuzz::natural::lines;
use causeway_peerconfig::swanctl;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let [name, body] = lines(text);
    let Ok(answer) = serde_json::from_str(body) else { return };
    if let Ok(config) = download::read(name, &answer) {
        let _ = swanctl::render(&config, swanctl::Options::default());
    }
});
