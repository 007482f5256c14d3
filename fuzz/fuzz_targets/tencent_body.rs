//! Any JSON body, with each action of Tencent Cloud's API: that of the first line, or whichever its first byte says.
#![no_main]

use causeway_dialect::Dialect;
use causeway_dialect_tencent::Tencent;
use causeway_fuzz::World;
use causeway_fuzz::request::tencent_json;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&place, rest)) = data.split_first() else { return };
    let actions: Vec<_> = Tencent.actions().into_iter().filter(|action| action.service == "vpc").collect();
    let split = data.iter().position(|byte| *byte == b'\n').map(|end| (&data[..end], &data[end + 1..]));
    let named = split.and_then(|(name, body)| {
        Some((actions.iter().find(|action| action.name.as_bytes() == name)?.name, body))
    });
    let (action, body) = named.unwrap_or((actions[usize::from(place) % actions.len()].name, rest));
    World::new(&[&Tencent]).call(&Tencent, &tencent_json(action, body.to_vec()));
});
