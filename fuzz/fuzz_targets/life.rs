//! Calls of both APIs, one after the other, on what the ones before made.
#![no_main]

use arbitrary::Arbitrary;
use causeway_dialect::Dialect;
use causeway_dialect_alibaba::Alibaba;
use causeway_dialect_tencent::Tencent;
use causeway_fuzz::{Signed, World};
use libfuzzer_sys::fuzz_target;

/// Calls of one life at most.
const CALLS_MAX: usize = 32;

#[derive(Arbitrary, Debug)]
enum Step {
    Alibaba(Signed),
    Tencent(Signed),
    Settle,
}

fn actions(dialect: &dyn Dialect) -> Vec<&'static str> {
    dialect.actions().into_iter().filter(|action| action.service == "vpc").map(|action| action.name).collect()
}

fuzz_target!(|steps: Vec<Step>| {
    let mut world = World::new(&[&Alibaba, &Tencent]);
    let (alibaba, tencent) = (actions(&Alibaba), actions(&Tencent));
    for step in steps.iter().take(CALLS_MAX) {
        let ids = world.ids();
        match step {
            Step::Alibaba(call) => world.call(&Alibaba, &call.alibaba(&alibaba, &ids)),
            Step::Tencent(call) => world.call(&Tencent, &call.tencent(&tencent, &ids)),
            Step::Settle => world.settle(),
        }
        world.check();
    }
});
