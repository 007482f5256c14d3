//! Subnets (vSwitches).

use causeway_dialect::time::iso_utc;
use causeway_model::{Ground, Record, Subnet, View, limits};
use ipnet::IpNet;
use serde_json::{Value, json};

use crate::shapes::network::{owner_number, status};
use crate::tags;

/// Addresses that are still free.
fn available(subnet: &Subnet, view: &View) -> u64 {
    let addresses: u64 = match subnet.cidr {
        IpNet::V4(range) => 1_u64 << (32 - u32::from(range.prefix_len())),
        IpNet::V6(_) => 0,
    };
    let reserved = u64::from(limits::SUBNET_RESERVED_HEAD + limits::SUBNET_RESERVED_TAIL);
    let taken = u64::try_from(view.addresses().count(Ground::Subnet(subnet.id))).unwrap_or(u64::MAX);
    addresses.saturating_sub(reserved).saturating_sub(taken)
}

/// A vSwitch.
pub fn describe(subnet: &Subnet, view: &View) -> Value {
    let meta = &subnet.meta;
    let is_main = view.route_table(subnet.table).is_none_or(|table| table.is_main);
    json!({
        "VSwitchId": meta.external,
        "VSwitchName": meta.name,
        "Description": meta.description,
        "VpcId": view.external(subnet.network),
        "ZoneId": subnet.zone,
        "CidrBlock": subnet.cidr.to_string(),
        "Ipv6CidrBlock": "",
        "EnabledIpv6": false,
        "AvailableIpAddressCount": available(subnet, view),
        "Status": status(subnet.is_ready()),
        "CreationTime": iso_utc(meta.created),
        "IsDefault": false,
        "ShareType": "",
        "NetworkAclId": "",
        "OwnerId": owner_number(&meta.owner),
        "ResourceGroupId": meta.resource_group,
        "RouteTable": {
            "RouteTableId": view.external(subnet.table),
            "RouteTableType": if is_main { "System" } else { "Custom" },
        },
        "Tags": tags::shown(meta),
    })
}

/// Every member of [`describe`], empty: a vSwitch that is gone.
pub fn absent() -> Value {
    json!({
        "VSwitchId": "", "VSwitchName": "", "Description": "", "VpcId": "", "ZoneId": "", "CidrBlock": "",
        "Ipv6CidrBlock": "", "EnabledIpv6": false, "AvailableIpAddressCount": 0, "Status": "", "CreationTime": "",
        "IsDefault": false, "ShareType": "", "NetworkAclId": "", "OwnerId": 0, "ResourceGroupId": "",
        "RouteTable": {"RouteTableId": "", "RouteTableType": ""}, "Tags": {"Tag": []},
    })
}

/// A record that is a vSwitch.
pub fn of_record(record: &Record, view: &View) -> Option<Value> {
    match record {
        Record::Subnet(it) => Some(describe(it, view)),
        _ => None,
    }
}
