//! Calls of both APIs, one after the other, on what the ones before made.
#![no_main]

use arbitrary::Arbitrary;
use causeway_dialect::Dialect;
use causeway_dialect_alibaba::Alibaba;
use causeway_dialect_tencent::Tencent;
use causeway_fuzz::natural::{Line, marked, structured};
use causeway_fuzz::request::{alibaba_query, tencent_query};
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

/// A life that is written down, a call a line.
fn written(lines: &str) {
    let mut world = World::new(&[&Alibaba, &Tencent]);
    for line in lines.lines().take(CALLS_MAX) {
        let line = Line::read(line, &world.ids());
        match line.dialect {
            "alibaba" => world.call(&Alibaba, &alibaba_query(line.action, &line.pairs)),
            "tencent" => world.call(&Tencent, &tencent_query(line.action, &line.pairs)),
            _ => world.settle(),
        }
        world.check();
    }
}

fuzz_target!(|data: &[u8]| {
    if let Some(lines) = marked(data, "life").and_then(|lines| std::str::from_utf8(lines).ok()) {
        return written(lines);
    }
    let Some(steps) = structured::<Vec<Step>>(data) else { return };
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
