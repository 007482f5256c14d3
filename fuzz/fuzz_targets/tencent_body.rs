//! Any JSON body, with each action of Tencent Cloud's API.
#![no_main]

use causeway_dialect::Dialect;
use causeway_dialect_tencent::Tencent;
use causeway_fuzz::World;
use causeway_fuzz::request::tencent_json;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let (action, body) = input;
    let actions: Vec<_> = Tencent.actions().into_iter().filter(|action| action.service == "vpc").collect();
    let action = actions[usize::from(action) % actions.len()].name;
    World::new(&[&Tencent]).call(&Tencent, &tencent_json(action, body.to_vec()));
});
