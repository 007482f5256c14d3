//! DescribeRegions.

use causeway_dialect::{EncodeContext, Failure};
use causeway_ops::{Operation, Outcome};
use serde_json::{Value, json};

use crate::action::{Action, Input};
use crate::params::Fields;
use crate::{regions, selects};

pub const ACTION: Action = Action { service: "vpc", name: "DescribeRegions", decode, encode };

fn decode(_: &Input<'_>) -> Result<Operation, Failure> {
    Ok(selects::settings())
}

/// Whether names are wanted in Chinese.
pub fn wants_chinese(context: &EncodeContext<'_>) -> bool {
    let language = Fields::of(&context.envelope.params).text("AcceptLanguage").unwrap_or_default();
    regions::is_chinese(&language)
}

fn encode(_: &Outcome, context: &EncodeContext<'_>) -> Value {
    let caller = context.caller;
    let chinese = wants_chinese(context);
    let shown: Vec<Value> = caller
        .settings
        .regions(&caller.dialect)
        .iter()
        .map(|region| {
            json!({
                "RegionId": region.id,
                "LocalName": regions::local_name(region, chinese),
                // Every region answers where the client called.
                "RegionEndpoint": context.envelope.host,
            })
        })
        .collect();
    json!({"Regions": {"Region": shown}})
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn the_clouds_own_regions() {
        let shown = World::new().ok("DescribeRegions", &[("AcceptLanguage", "zh-CN")]);
        assert_eq!(shown["Regions"]["Region"][0]["RegionId"], "cn-hangzhou");
        assert_eq!(shown["Regions"]["Region"][0]["LocalName"], "华东1（杭州）");
        assert_eq!(shown["Regions"]["Region"][0]["RegionEndpoint"], "127.0.0.1:8440");
    }
}
