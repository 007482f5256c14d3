//! Customer gateways.

use causeway_model::CustomerGateway;
use serde_json::{Value, json};

use crate::tags;

/// A customer gateway. Numbers and keys that it has not are left out.
pub fn describe(it: &CustomerGateway) -> Value {
    let mut shown = json!({
        "CustomerGatewayId": it.meta.external,
        "IpAddress": it.ip.to_string(),
        "Name": it.meta.name,
        "Description": it.meta.description,
        "CreateTime": it.meta.created.0,
        "ResourceGroupId": it.meta.resource_group,
        "Tags": tags::shown(&it.meta),
    });
    if let (Some(asn), Some(members)) = (it.asn, shown.as_object_mut()) {
        members.insert("Asn".to_owned(), asn.into());
    }
    if let (Some(key), Some(members)) = (&it.bgp_key, shown.as_object_mut()) {
        members.insert("AuthKey".to_owned(), key.expose().into());
    }
    shown
}
