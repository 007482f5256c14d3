//! The cloud's own regions and zones, used when the operator sets none.

use causeway_model::Zone;
use causeway_ops::RegionSettings;

/// Id, name, and the numbers of the zones.
const REGIONS: &[(&str, &str, &[u32])] = &[
    ("ap-guangzhou", "华南地区(广州)", &[1, 2, 3, 4, 5, 6, 7, 8]),
    ("ap-shanghai", "华东地区(上海)", &[1, 2, 3, 4, 5, 6, 7, 8]),
    ("ap-nanjing", "华东地区(南京)", &[1, 2, 3]),
    ("ap-beijing", "华北地区(北京)", &[1, 2, 3, 4, 5, 6, 7, 8]),
    ("ap-chengdu", "西南地区(成都)", &[1, 2]),
    ("ap-chongqing", "西南地区(重庆)", &[1]),
    ("ap-hongkong", "港澳台地区(中国香港)", &[1, 2, 3]),
    ("ap-taipei", "港澳台地区(中国台北)", &[1]),
    ("ap-singapore", "亚太东南(新加坡)", &[1, 2, 3, 4]),
    ("ap-jakarta", "亚太东南(雅加达)", &[1, 2]),
    ("ap-bangkok", "亚太东南(曼谷)", &[1, 2]),
    ("ap-mumbai", "亚太南部(孟买)", &[1, 2]),
    ("ap-seoul", "亚太东北(首尔)", &[1, 2]),
    ("ap-tokyo", "亚太东北(东京)", &[1, 2]),
    ("na-siliconvalley", "美国西部(硅谷)", &[1, 2]),
    ("na-ashburn", "美国东部(弗吉尼亚)", &[1, 2]),
    ("na-toronto", "北美地区(多伦多)", &[1]),
    ("sa-saopaulo", "南美地区(圣保罗)", &[1]),
    ("eu-frankfurt", "欧洲地区(法兰克福)", &[1, 2]),
    ("ap-shenzhen-fsi", "华南地区(深圳金融)", &[1, 2, 3]),
    ("ap-shanghai-fsi", "华东地区(上海金融)", &[1, 2, 3]),
    ("ap-beijing-fsi", "华北地区(北京金融)", &[1]),
];

/// The regions; the first is the default.
pub fn default() -> Vec<RegionSettings> {
    REGIONS
        .iter()
        .map(|(id, name, zones)| {
            let zones = zones.iter().map(|number| Zone::from(format!("{id}-{number}"))).collect();
            RegionSettings::new(*id, *name, zones)
        })
        .collect()
}
