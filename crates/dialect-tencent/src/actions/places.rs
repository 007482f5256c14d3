//! DescribeRegions and DescribeZones of the three services that have them: cvm, region and api. The newer two
//! want a `Product` and show more members.

use causeway_dialect::EncodeContext;
use causeway_model::DialectId;
use causeway_ops::{Operation, Outcome, Query};
use serde_json::Value;

use crate::action::{self, Action, Answer, Input};
use crate::refusal::{Refusal, is_english};
use crate::shapes::zones::{Manner, region, zone};

/// The regions, as cvm lists them.
pub const CVM_REGIONS: Action = regions("cvm");
/// The regions, as the service region lists them.
pub const REGION_REGIONS: Action = regions("region");
/// The regions, as the service api lists them.
pub const API_REGIONS: Action = regions("api");
/// The zones of the region asked for, as cvm lists them.
pub const CVM_ZONES: Action = zones("cvm");
/// The zones of the region asked for, as the service region lists them.
pub const REGION_ZONES: Action = zones("region");
/// The zones of the region asked for, as the service api lists them.
pub const API_ZONES: Action = zones("api");

const fn regions(service: &'static str) -> Action {
    Action { service, name: "DescribeRegions", decode, encode: encode_regions }
}

const fn zones(service: &'static str) -> Action {
    Action { service, name: "DescribeZones", decode, encode: encode_zones }
}

/// Every product is in every region and zone.
fn decode(_: &Input<'_>) -> Result<Operation, Refusal> {
    Ok(Operation::Read(Query::Settings))
}

fn manner(context: &EncodeContext<'_>) -> Manner {
    let envelope = context.envelope;
    Manner { wide: envelope.service != "cvm", english: is_english(&envelope.language) }
}

fn encode_regions(_: &Outcome, context: &EncodeContext<'_>) -> Result<Answer, Refusal> {
    let known = context.caller.settings.regions(&DialectId::from(crate::ID));
    let items: Vec<Value> = known.iter().map(|it| region(it, manner(context))).collect();
    Ok(action::page("RegionSet", items.len(), items))
}

fn encode_zones(_: &Outcome, context: &EncodeContext<'_>) -> Result<Answer, Refusal> {
    let caller = context.caller;
    let place = caller.settings.region(&DialectId::from(crate::ID), &caller.region);
    let place = place.ok_or_else(action::lost)?;
    let items: Vec<Value> = place.zones.iter().map(|it| zone(place, it, manner(context))).collect();
    Ok(action::page("ZoneSet", items.len(), items))
}

#[cfg(test)]
mod tests {
    use causeway_model::View;
    use serde_json::json;

    use crate::testing;

    #[test]
    fn each_service_has_its_own_shape() {
        let mut view = View::default();
        for (service, params, members) in [
            ("cvm", json!({}), 4),
            ("region", json!({"Product": "vpc"}), 10),
            ("api", json!({"Product": "vpc"}), 10),
        ] {
            let found = testing::call(&mut view, service, "DescribeZones", params.clone()).unwrap();
            assert_eq!(found["TotalCount"], 8);
            assert_eq!(found["ZoneSet"][0].as_object().unwrap().len(), members);
            let found = testing::call(&mut view, service, "DescribeRegions", params).unwrap();
            assert_eq!(found["RegionSet"][0]["Region"], "ap-guangzhou");
        }
        let missing = testing::call(&mut view, "region", "DescribeZones", json!({})).expect_err("no product");
        assert_eq!(missing.code, "MissingParameter");
    }
}
