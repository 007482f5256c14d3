//! Regions and zones, in the shapes of the three services that list them.

use causeway_model::Zone;
use causeway_ops::RegionSettings;
use serde_json::{Value, json};

use crate::regions;

/// The first number of each region's zone ids: zone 3 of Guangzhou is 100003.
const NUMBERS: [(&str, u32); 22] = [
    ("ap-guangzhou", 100_000),
    ("ap-shenzhen-fsi", 110_000),
    ("ap-shanghai-fsi", 700_000),
    ("ap-beijing-fsi", 460_000),
    ("ap-shanghai", 200_000),
    ("ap-hongkong", 300_000),
    ("na-toronto", 400_000),
    ("ap-beijing", 800_000),
    ("ap-singapore", 900_000),
    ("na-siliconvalley", 150_000),
    ("ap-chengdu", 160_000),
    ("eu-frankfurt", 170_000),
    ("ap-seoul", 180_000),
    ("ap-chongqing", 190_000),
    ("ap-mumbai", 210_000),
    ("na-ashburn", 220_000),
    ("ap-bangkok", 230_000),
    ("ap-tokyo", 250_000),
    ("ap-nanjing", 330_000),
    ("ap-taipei", 390_000),
    ("ap-jakarta", 720_000),
    ("sa-saopaulo", 740_000),
];
/// Where the operator's own regions begin.
const OWN_REGIONS: u32 = 990_000;
const CHINESE_DIGITS: [&str; 10] = ["零", "一", "二", "三", "四", "五", "六", "七", "八", "九"];

/// How places are shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Manner {
    /// With the members of the newer services, which are null for API calls.
    pub wide: bool,
    /// In English, where the names have an English form.
    pub english: bool,
}

/// A region's name.
fn region_name(it: &RegionSettings, manner: Manner) -> &str {
    regions::english_name(it).filter(|_| manner.english).unwrap_or(&it.name)
}

/// A region.
pub fn region(it: &RegionSettings, manner: Manner) -> Value {
    let name = region_name(it, manner);
    let mut value = json!({"Region": it.id.as_str(), "RegionName": name, "RegionState": "AVAILABLE"});
    if let (true, Some(members)) = (manner.wide, value.as_object_mut()) {
        for name in ["RegionTypeMC", "LocationMC", "RegionNameMC", "RegionIdMC"] {
            members.insert(name.to_owned(), Value::Null);
        }
    }
    value
}

/// A zone of a region. `ZoneId` is text.
pub fn zone(region: &RegionSettings, it: &Zone, manner: Manner) -> Value {
    let number = number(region, it);
    let of_region = region_name(region, manner);
    let city = of_region.split_once('(').map_or(of_region, |(_, rest)| rest.trim_end_matches(')'));
    let name = match manner.english {
        true => format!("{city} Zone {number}"),
        false => format!("{city}{}区", chinese(number)),
    };
    let id = base(region).saturating_add(number);
    let mut value = json!({
        "Zone": it.as_str(), "ZoneName": name, "ZoneId": id.to_string(), "ZoneState": "AVAILABLE",
    });
    if let (true, Some(members)) = (manner.wide, value.as_object_mut()) {
        members.insert("ParentZone".to_owned(), Value::Null);
        members.insert("ParentZoneId".to_owned(), Value::Null);
        members.insert("ParentZoneName".to_owned(), Value::Null);
        members.insert("ZoneType".to_owned(), Value::from("availability-zone"));
        members.insert("MachineRoomTypeMC".to_owned(), Value::Null);
        members.insert("ZoneIdMC".to_owned(), Value::Null);
    }
    value
}

/// The number at the end of a zone's name, or its place in the region where it has none.
fn number(region: &RegionSettings, zone: &Zone) -> u32 {
    let last = zone.as_str().rsplit('-').next().unwrap_or_default();
    let place = || region.zones.iter().position(|known| known == zone).unwrap_or_default();
    last.parse().unwrap_or_else(|_| u32::try_from(place()).unwrap_or_default() + 1)
}

fn base(region: &RegionSettings) -> u32 {
    NUMBERS.iter().find(|(id, _)| *id == region.id.as_str()).map_or(OWN_REGIONS, |(_, number)| *number)
}

fn chinese(number: u32) -> String {
    let digit = usize::try_from(number).ok().and_then(|number| CHINESE_DIGITS.get(number));
    digit.map_or_else(|| number.to_string(), |digit| (*digit).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zone_ids_are_text() {
        let regions = regions::default();
        let guangzhou = &regions[0];
        let plain = Manner { wide: false, english: false };
        let value = zone(guangzhou, &guangzhou.zones[2], plain);
        assert_eq!(value["ZoneId"], "100003");
        assert_eq!(value["ZoneName"], "广州三区");
        assert_eq!(value.as_object().unwrap().len(), 4);
        assert_eq!(
            zone(guangzhou, &guangzhou.zones[2], Manner { wide: true, ..plain }).as_object().unwrap().len(),
            10
        );
        let english = Manner { english: true, ..plain };
        assert_eq!(zone(guangzhou, &guangzhou.zones[2], english)["ZoneName"], "Guangzhou Zone 3");
        assert_eq!(region(guangzhou, english)["RegionName"], "South China (Guangzhou)");
        let own = RegionSettings { name: "My room".to_owned(), ..guangzhou.clone() };
        assert_eq!(region(&own, english)["RegionName"], "My room");
    }

    #[test]
    fn every_region_has_zone_ids_of_its_own() {
        let mut ids = std::collections::BTreeSet::new();
        for region in regions::default() {
            for it in &region.zones {
                let id = zone(&region, it, Manner { wide: false, english: false })["ZoneId"].to_string();
                assert!(ids.insert(id), "{it}");
            }
        }
    }
}
