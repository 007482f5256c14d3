//! Regions and zones: the cloud's own, their names, and which one a request addresses.

use causeway_dialect::{Envelope, Failure};
use causeway_model::{DialectId, Region, Zone};
use causeway_ops::{RegionSettings, Settings};

use crate::product;

/// A region of the cloud: id, English name, Chinese name, letters of its zones.
type Known = (&'static str, &'static str, &'static str, &'static str);

/// The cloud's own regions, the first is the default. Zone letters as in the published lists of 2024 to 2026.
const REGIONS: &[Known] = &[
    ("cn-hangzhou", "China (Hangzhou)", "华东1（杭州）", "bghijk"),
    ("cn-shanghai", "China (Shanghai)", "华东2（上海）", "abefglmn"),
    ("cn-nanjing", "China (Nanjing)", "华东5（南京-本地地域）", "a"),
    ("cn-fuzhou", "China (Fuzhou)", "华东6（福州-本地地域）", "a"),
    ("cn-wuhan-lr", "China (Wuhan)", "华中1（武汉-本地地域）", "a"),
    ("cn-qingdao", "China (Qingdao)", "华北1（青岛）", "bc"),
    ("cn-beijing", "China (Beijing)", "华北2（北京）", "acfghijkl"),
    ("cn-zhangjiakou", "China (Zhangjiakou)", "华北3（张家口）", "abc"),
    ("cn-huhehaote", "China (Hohhot)", "华北5（呼和浩特）", "ab"),
    ("cn-wulanchabu", "China (Ulanqab)", "华北6（乌兰察布）", "abc"),
    ("cn-shenzhen", "China (Shenzhen)", "华南1（深圳）", "acdef"),
    ("cn-heyuan", "China (Heyuan)", "华南2（河源）", "ab"),
    ("cn-guangzhou", "China (Guangzhou)", "华南3（广州）", "ab"),
    ("cn-chengdu", "China (Chengdu)", "西南1（成都）", "ab"),
    ("cn-hongkong", "China (Hong Kong)", "中国香港", "bcd"),
    ("ap-northeast-1", "Japan (Tokyo)", "日本（东京）", "abc"),
    ("ap-northeast-2", "South Korea (Seoul)", "韩国（首尔）", "ab"),
    ("ap-southeast-1", "Singapore", "新加坡", "abc"),
    ("ap-southeast-2", "Australia (Sydney)", "澳大利亚（悉尼）", "ab"),
    ("ap-southeast-3", "Malaysia (Kuala Lumpur)", "马来西亚（吉隆坡）", "abc"),
    ("ap-southeast-5", "Indonesia (Jakarta)", "印度尼西亚（雅加达）", "abc"),
    ("ap-southeast-6", "Philippines (Manila)", "菲律宾（马尼拉）", "ab"),
    ("ap-southeast-7", "Thailand (Bangkok)", "泰国（曼谷）", "ab"),
    ("ap-south-1", "India (Mumbai)", "印度（孟买）", "ab"),
    ("us-east-1", "US (Virginia)", "美国（弗吉尼亚）", "ab"),
    ("us-west-1", "US (Silicon Valley)", "美国（硅谷）", "ab"),
    ("eu-central-1", "Germany (Frankfurt)", "德国（法兰克福）", "abc"),
    ("eu-west-1", "UK (London)", "英国（伦敦）", "ab"),
    ("me-east-1", "UAE (Dubai)", "阿联酋（迪拜）", "a"),
    ("me-central-1", "SAU (Riyadh - Partner Region)", "沙特（利雅得）", "ab"),
];

/// Regions whose gateways all have two tunnels, so that two vSwitches must be named. The cloud makes this so
/// for its newer regions (the exact list is not published, unverified); in the others both forms are taken.
const DUAL_TUNNEL_ONLY: &[&str] =
    &["ap-northeast-2", "ap-southeast-7", "me-central-1", "cn-fuzhou", "cn-wuhan-lr"];

/// The id of a zone: `cn-hangzhou-b`, but `ap-southeast-1a`.
fn zone_id(region: &str, letter: char) -> String {
    let separator = if region.ends_with(|last: char| last.is_ascii_digit()) { "" } else { "-" };
    format!("{region}{separator}{letter}")
}

/// The cloud's own regions and zones.
pub fn defaults() -> Vec<RegionSettings> {
    REGIONS
        .iter()
        .map(|(id, name, _, letters)| {
            let zones = letters.chars().map(|letter| Zone::from(zone_id(id, letter))).collect();
            RegionSettings::new(*id, *name, zones)
        })
        .collect()
}

/// Whether gateways of a region must have two instances.
pub fn is_dual_tunnel_only(region: &Region) -> bool {
    DUAL_TUNNEL_ONLY.contains(&region.as_str())
}

/// Whether a language asked for is Chinese. The APIs around regions answer in Chinese unless told otherwise.
pub fn is_chinese(language: &str) -> bool {
    language.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("zh"))
}

/// The name of a region for people.
pub fn local_name(region: &RegionSettings, chinese: bool) -> String {
    let known = REGIONS.iter().find(|known| known.0 == region.id.as_str()).filter(|_| chinese);
    known.map_or_else(|| region.name.clone(), |known| known.2.to_owned())
}

/// The name of a zone for people.
pub fn zone_name(region: &RegionSettings, zone: &Zone, chinese: bool) -> String {
    let letter = zone.as_str().chars().next_back().map(|letter| letter.to_ascii_uppercase());
    let letter = letter.map(String::from).unwrap_or_default();
    let name = local_name(region, chinese);
    if chinese { format!("{name} 可用区{letter}") } else { format!("{name} Zone {letter}") }
}

/// The refusal of a region that does not exist, in the words of an action. Terraform takes 404 for "gone".
pub fn unknown(action: &str) -> Failure {
    let (status, message) = match action {
        "DeleteVpc" => (400, "The specified region is not found."),
        "CreateVpc" => (404, "Specified value of \"regionId\" is not supported."),
        "DescribeZones" => (404, "The RegionId provided does not exist in our records."),
        _ => (404, "The specified region is not found during access authentication."),
    };
    Failure::new(status, "InvalidRegionId.NotFound", message)
}

/// The region that a request addresses: by its parameter, else by its host, else the first.
///
/// # Errors
/// `InvalidRegionId.NotFound`.
pub fn addressed<'a>(envelope: &Envelope, settings: &'a Settings) -> Result<&'a RegionSettings, Failure> {
    let dialect = DialectId::from(crate::ID);
    let known = settings.regions(&dialect);
    let find = |wanted: &str| known.iter().find(|region| region.id.as_str() == wanted);
    // These name regions of other products, or none at all.
    let addresses_no_region = envelope.service != "vpc" && find(&envelope.region).is_none();
    if !envelope.region.is_empty() && !addresses_no_region {
        return find(&envelope.region).ok_or_else(|| unknown(&envelope.action));
    }
    let by_host = product::region_of_host(&envelope.host).and_then(find);
    by_host.or_else(|| known.first()).ok_or_else(|| unknown(&envelope.action))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn zones_are_named_as_the_cloud_names_them() {
        let regions = defaults();
        let zones = |id: &str| {
            let region = regions.iter().find(|region| region.id.as_str() == id).unwrap();
            region.zones.iter().map(|zone| zone.as_str().to_owned()).collect::<Vec<_>>()
        };
        assert!(zones("cn-hangzhou").contains(&"cn-hangzhou-h".to_owned()));
        assert!(zones("ap-southeast-1").contains(&"ap-southeast-1a".to_owned()));
        assert_eq!(zones("me-east-1"), ["me-east-1a"]);
        let hangzhou = &regions[0];
        assert_eq!(local_name(hangzhou, false), "China (Hangzhou)");
        assert_eq!(zone_name(hangzhou, &"cn-hangzhou-h".into(), false), "China (Hangzhou) Zone H");
    }

    #[test]
    fn a_region_is_addressed_by_parameter_or_host() {
        let settings = testing::settings();
        let region = |pairs: &[(&str, &str)], host: &str| {
            let mut envelope = testing::envelope("DescribeVpcs", pairs);
            envelope.host = host.to_owned();
            addressed(&envelope, &settings).map(|region| region.id.to_string())
        };
        assert_eq!(region(&[("RegionId", "cn-beijing")], "127.0.0.1").unwrap(), "cn-beijing");
        assert_eq!(region(&[], "vpc.cn-shanghai.aliyuncs.com").unwrap(), "cn-shanghai");
        assert_eq!(region(&[], "127.0.0.1:8440").unwrap(), "cn-hangzhou");
        let failure = region(&[("RegionId", "nowhere")], "127.0.0.1").unwrap_err();
        assert_eq!((failure.status, failure.code.as_str()), (404, "InvalidRegionId.NotFound"));
    }

    #[test]
    fn only_the_deletion_of_a_network_tells_an_unknown_region_by_400() {
        let settings = testing::settings();
        for (action, status) in [("DeleteVpc", 400), ("CreateVpc", 404), ("CreateVpnGateway", 404)] {
            let envelope = testing::envelope(action, &[("RegionId", "cn-atlantis")]);
            let failure = addressed(&envelope, &settings).unwrap_err();
            assert_eq!(
                (failure.status, failure.code.as_str()),
                (status, "InvalidRegionId.NotFound"),
                "{action}"
            );
        }
    }
}
