//! `Subnet`.

use causeway_dialect::time;
use causeway_model::{Ground, Subnet, View};
use ipnet::IpNet;
use serde_json::{Value, json};

use crate::facet::{self, SubnetFacet};
use crate::shapes::tag_set;

/// Addresses of a subnet that no instance gets: its own, the router's, the broadcast address.
const RESERVED: u64 = 3;

/// A subnet.
pub fn subnet(view: &View, it: &Subnet) -> Value {
    let own: SubnetFacet = facet::read(&it.meta.facet);
    let total = addresses(&it.cidr);
    let taken = u64::try_from(view.addresses().count(Ground::Subnet(it.id))).unwrap_or(u64::MAX);
    let is_default = view.network(it.network).is_some_and(|network| network.is_default);
    json!({
        "VpcId": view.external(it.network),
        "SubnetId": it.meta.external.as_str(),
        "SubnetName": it.meta.name,
        "CidrBlock": it.cidr.to_string(),
        "IsDefault": is_default,
        "EnableBroadcast": own.broadcast,
        "Zone": it.zone.as_str(),
        "RouteTableId": view.external(it.table),
        "CreatedTime": time::china_standard(it.meta.created),
        "AvailableIpAddressCount": total.saturating_sub(RESERVED).saturating_sub(taken),
        "Ipv6CidrBlock": "",
        "NetworkAclId": "",
        "IsRemoteVpcSnat": false,
        "TotalIpAddressCount": total,
        "TagSet": tag_set(&it.meta),
        "CdcId": "",
        "IsCdcSubnet": 0,
    })
}

fn addresses(cidr: &IpNet) -> u64 {
    let host_bits = u32::from(cidr.max_prefix_len().saturating_sub(cidr.prefix_len()));
    1u64.checked_shl(host_bits).unwrap_or(u64::MAX)
}
