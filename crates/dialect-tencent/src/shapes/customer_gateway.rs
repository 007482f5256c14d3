//! `CustomerGateway`.

use causeway_dialect::time;
use causeway_model::{CustomerGateway, Kind, View};
use serde_json::{Value, json};

use crate::shapes::tag_set;

/// A customer gateway; `BgpAsn` is 0 when it has none.
pub fn customer_gateway(view: &View, it: &CustomerGateway) -> Value {
    json!({
        "CustomerGatewayId": it.meta.external.as_str(),
        "CustomerGatewayName": it.meta.name,
        "IpAddress": it.ip.to_string(),
        "CreatedTime": time::china_standard(it.meta.created),
        "BgpAsn": it.asn.unwrap_or_default(),
        "VpnConnNum": view.children(it.id, Kind::Connection).count(),
        "TagSet": tag_set(&it.meta),
    })
}
