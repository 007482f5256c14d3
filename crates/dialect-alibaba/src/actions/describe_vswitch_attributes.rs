//! DescribeVSwitchAttributes. A vSwitch that is gone is no error: the answer has an empty id.

use causeway_dialect::{EncodeContext, Failure};
use causeway_model::Kind;
use causeway_ops::{Operation, Outcome};
use serde_json::Value;

use crate::action::{Action, Input};
use crate::selects::{List, found};
use crate::shapes::subnet;

pub const ACTION: Action = Action { service: "vpc", name: "DescribeVSwitchAttributes", decode, encode };

fn decode(input: &Input<'_>) -> Result<Operation, Failure> {
    Ok(List::of(Kind::Subnet).ids(&input.fields, "VSwitchId").slice(0, 1))
}

fn encode(outcome: &Outcome, context: &EncodeContext<'_>) -> Value {
    let first = found(outcome).0.first();
    first.and_then(|record| subnet::of_record(record, context.view)).unwrap_or_else(subnet::absent)
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn a_switch_that_is_gone_has_an_empty_id() {
        let shown = World::new().ok("DescribeVSwitchAttributes", &[("VSwitchId", "vsw-none")]);
        assert_eq!(shown["VSwitchId"], "");
        let mut there = World::new();
        let [_, id, _] = there.network();
        let there = there.ok("DescribeVSwitchAttributes", &[("VSwitchId", &id)]);
        let names =
            |shown: &serde_json::Value| shown.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&shown), names(&there), "no member is left out");
        assert_eq!(shown["Tags"], serde_json::json!({"Tag": []}));
    }
}
