//! DescribeVpnGatewayAvailableZones.

use causeway_dialect::{EncodeContext, Failure};
use causeway_ops::{Operation, Outcome};
use serde_json::{Value, json};

use crate::action::{Action, Input};
use crate::facet::{ENHANCED, TRADITIONAL};
use crate::params::Fields;
use crate::{regions, selects};

pub const ACTION: Action =
    Action { service: "vpc", name: "DescribeVpnGatewayAvailableZones", decode, encode };

const SPECS: &[&str] = &["5M", "10M", "20M", "50M", "100M", "200M", "500M", "1000M"];

fn decode(input: &Input<'_>) -> Result<Operation, Failure> {
    input.fields.word("Spec", SPECS)?;
    input.fields.word("GatewayType", &[TRADITIONAL, ENHANCED])?;
    Ok(selects::settings())
}

fn encode(_: &Outcome, context: &EncodeContext<'_>) -> Value {
    let caller = context.caller;
    let language = Fields::of(&context.envelope.params).text("AcceptLanguage").unwrap_or_default();
    let chinese = regions::is_chinese(&language);
    let zones: Vec<Value> = caller
        .settings
        .region(&caller.dialect, &caller.region)
        .into_iter()
        .flat_map(|region| region.open_zones().map(move |zone| (region, zone)))
        .map(|(region, zone)| json!({"ZoneId": zone, "ZoneName": regions::zone_name(region, zone, chinese)}))
        .collect();
    json!({"RegionId": caller.region, "AvailableZoneIdList": zones})
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn zones_of_the_region() {
        let mut world = World::new();
        let shown = world.ok("DescribeVpnGatewayAvailableZones", &[("Spec", "5M")]);
        assert_eq!(shown["RegionId"], "cn-hangzhou");
        assert_eq!(shown["AvailableZoneIdList"][0]["ZoneId"], "cn-hangzhou-b");
        assert_eq!(shown["AvailableZoneIdList"][0]["ZoneName"], "China (Hangzhou) Zone B");
        assert_eq!(world.code("DescribeVpnGatewayAvailableZones", &[("Spec", "6M")]), "InvalidSpec");
        assert_eq!(world.code("DescribeVpnGatewayAvailableZones", &[]), "MissingSpec");
    }
}
