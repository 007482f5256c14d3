//! The cloud's own regions and zones, used when the operator sets none.

use causeway_model::Zone;
use causeway_ops::RegionSettings;

/// Id, names in Chinese and English (the English spelling is unverified), and the numbers of the zones.
const REGIONS: &[(&str, &str, &str, &[u32])] = &[
    ("ap-guangzhou", "华南地区(广州)", "South China (Guangzhou)", &[1, 2, 3, 4, 5, 6, 7, 8]),
    ("ap-shanghai", "华东地区(上海)", "East China (Shanghai)", &[1, 2, 3, 4, 5, 6, 7, 8]),
    ("ap-nanjing", "华东地区(南京)", "East China (Nanjing)", &[1, 2, 3]),
    ("ap-beijing", "华北地区(北京)", "North China (Beijing)", &[1, 2, 3, 4, 5, 6, 7, 8]),
    ("ap-chengdu", "西南地区(成都)", "Southwest China (Chengdu)", &[1, 2]),
    ("ap-chongqing", "西南地区(重庆)", "Southwest China (Chongqing)", &[1]),
    ("ap-hongkong", "港澳台地区(中国香港)", "Hong Kong, Macao and Taiwan (Hong Kong, China)", &[1, 2, 3]),
    ("ap-taipei", "港澳台地区(中国台北)", "Hong Kong, Macao and Taiwan (Taipei, China)", &[1]),
    ("ap-singapore", "亚太东南(新加坡)", "Southeast Asia (Singapore)", &[1, 2, 3, 4]),
    ("ap-jakarta", "亚太东南(雅加达)", "Southeast Asia (Jakarta)", &[1, 2]),
    ("ap-bangkok", "亚太东南(曼谷)", "Southeast Asia (Bangkok)", &[1, 2]),
    ("ap-mumbai", "亚太南部(孟买)", "South Asia (Mumbai)", &[1, 2]),
    ("ap-seoul", "亚太东北(首尔)", "Northeast Asia (Seoul)", &[1, 2]),
    ("ap-tokyo", "亚太东北(东京)", "Northeast Asia (Tokyo)", &[1, 2]),
    ("na-siliconvalley", "美国西部(硅谷)", "Western US (Silicon Valley)", &[1, 2]),
    ("na-ashburn", "美国东部(弗吉尼亚)", "Eastern US (Virginia)", &[1, 2]),
    ("na-toronto", "北美地区(多伦多)", "North America (Toronto)", &[1]),
    ("sa-saopaulo", "南美地区(圣保罗)", "South America (Sao Paulo)", &[1]),
    ("eu-frankfurt", "欧洲地区(法兰克福)", "Europe (Frankfurt)", &[1, 2]),
    ("ap-shenzhen-fsi", "华南地区(深圳金融)", "South China (Shenzhen Finance)", &[1, 2, 3]),
    ("ap-shanghai-fsi", "华东地区(上海金融)", "East China (Shanghai Finance)", &[1, 2, 3]),
    ("ap-beijing-fsi", "华北地区(北京金融)", "North China (Beijing Finance)", &[1]),
];

/// The regions; the first is the default.
pub fn default() -> Vec<RegionSettings> {
    REGIONS
        .iter()
        .map(|(id, name, _, zones)| {
            let zones = zones.iter().map(|number| Zone::from(format!("{id}-{number}"))).collect();
            RegionSettings::new(*id, *name, zones)
        })
        .collect()
}

/// The English name of a region that has the cloud's own Chinese name; an operator's name has one language.
pub fn english_name(region: &RegionSettings) -> Option<&'static str> {
    let is_it = |(id, chinese, ..): &&(&str, &str, &str, &[u32])| {
        *id == region.id.as_str() && *chinese == region.name
    };
    REGIONS.iter().find(is_it).map(|(_, _, english, _)| *english)
}
