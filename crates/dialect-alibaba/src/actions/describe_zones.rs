//! DescribeZones.

use causeway_dialect::{EncodeContext, Failure};
use causeway_ops::{Operation, Outcome};
use serde_json::{Value, json};

use crate::action::{Action, Input};
use crate::actions::describe_regions::wants_chinese;
use crate::params::Fields;
use crate::{regions, selects};

pub const ACTION: Action = Action { service: "vpc", name: "DescribeZones", decode, encode };

/// The type of every zone here.
const TYPE: &str = "AvailabilityZone";

fn decode(_: &Input<'_>) -> Result<Operation, Failure> {
    Ok(selects::settings())
}

fn encode(_: &Outcome, context: &EncodeContext<'_>) -> Value {
    let caller = context.caller;
    let chinese = wants_chinese(context);
    // Zones of other types, such as those at the edge, there are none.
    let wanted = Fields::of(&context.envelope.params).text("ZoneType");
    let is_wanted = wanted.is_none_or(|wanted| wanted == TYPE);
    let shown: Vec<Value> = caller
        .settings
        .region(&caller.dialect, &caller.region)
        .into_iter()
        .flat_map(|region| region.zones.iter().map(move |zone| (region, zone)))
        .filter(|_| is_wanted)
        .map(|(region, zone)| {
            let name = regions::zone_name(region, zone, chinese);
            json!({"ZoneId": zone, "LocalName": name, "ZoneType": TYPE})
        })
        .collect();
    json!({"Zones": {"Zone": shown}})
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn zones_of_the_region() {
        let shown = World::new().ok("DescribeZones", &[]);
        assert_eq!(shown["Zones"]["Zone"].as_array().unwrap().len(), 6);
        assert_eq!(shown["Zones"]["Zone"][3]["ZoneId"], "cn-hangzhou-i");
        for (kind, wanted) in [("AvailabilityZone", 6), ("EdgeZone", 0)] {
            let shown = World::new().ok("DescribeZones", &[("ZoneType", kind)]);
            assert_eq!(shown["Zones"]["Zone"].as_array().unwrap().len(), wanted, "{kind}");
        }
    }
}
