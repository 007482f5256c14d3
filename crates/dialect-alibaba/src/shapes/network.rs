//! Networks (VPCs).

use causeway_dialect::time::iso_utc;
use causeway_model::{Kind, Network, Record, View};
use serde_json::{Value, json};

use crate::facet::{self, NetworkFacet};
use crate::{ids, tags};

/// The word for a state.
pub fn status(is_ready: bool) -> &'static str {
    if is_ready { "Available" } else { "Pending" }
}

/// The ids of a network's children of a kind.
fn children(network: &Network, kind: Kind, view: &View) -> Vec<String> {
    let metas = view.children(network.id, kind).filter_map(Record::meta);
    metas.map(|meta| meta.external.to_string()).collect()
}

/// The account number, where it is one: the API's type is a number.
pub fn owner_number(owner: &causeway_model::AccountId) -> i64 {
    owner.as_str().parse().unwrap_or(0)
}

/// A network with the members that lists and single reads share.
pub fn describe(network: &Network, view: &View) -> Value {
    let meta = &network.meta;
    let facet: NetworkFacet = facet::read(meta);
    let secondary: Vec<String> = network.secondary_cidrs.iter().map(ToString::to_string).collect();
    json!({
        "VpcId": meta.external,
        "VpcName": meta.name,
        "Description": meta.description,
        "CidrBlock": network.cidr.to_string(),
        "SecondaryCidrBlocks": {"SecondaryCidrBlock": secondary},
        "UserCidrs": {"UserCidr": facet.user_cidrs},
        "Status": status(network.is_ready()),
        "CreationTime": iso_utc(meta.created),
        "RegionId": meta.region,
        "VRouterId": ids::router(meta.external.as_str()),
        "VSwitchIds": {"VSwitchId": children(network, Kind::Subnet, view)},
        "IsDefault": network.is_default,
        "OwnerId": owner_number(&meta.owner),
        "ResourceGroupId": meta.resource_group,
        "Tags": tags::shown(meta),
        "Ipv6CidrBlock": "",
        "Ipv6CidrBlocks": {"Ipv6CidrBlock": []},
        "EnabledIpv6": false,
        "DhcpOptionsSetId": "",
        "DhcpOptionsSetStatus": "",
        "DnsHostnameStatus": if facet.dns_hostnames { "ENABLED" } else { "DISABLED" },
    })
}

/// Members that only lists have.
pub fn describe_in_list(network: &Network, view: &View) -> Value {
    let mut shown = describe(network, view);
    if let Some(members) = shown.as_object_mut() {
        let tables = children(network, Kind::RouteTable, view);
        members.insert("RouterTableIds".to_owned(), json!({"RouterTableIds": tables}));
        members.insert("NatGatewayIds".to_owned(), json!({"NatGatewayIds": []}));
        members.insert("CenStatus".to_owned(), "Detached".into());
    }
    shown
}

/// Members that only single reads have.
pub fn describe_alone(network: &Network, view: &View) -> Value {
    let mut shown = describe(network, view);
    if let Some(members) = shown.as_object_mut() {
        let count = |kind: Kind| view.children(network.id, kind).count();
        let resources = json!([
            {"ResourceType": "VSwitch", "ResourceCount": count(Kind::Subnet)},
            {"ResourceType": "VRouter", "ResourceCount": 1},
            {"ResourceType": "RouteTable", "ResourceCount": count(Kind::RouteTable)},
            {"ResourceType": "VpnGateway", "ResourceCount": count(Kind::Gateway)},
        ]);
        members.insert("CloudResources".to_owned(), json!({"CloudResourceSetType": resources}));
        members.insert("AssociatedCens".to_owned(), json!({"AssociatedCen": []}));
        let sources = json!({"AssociatedPropagationSources": []});
        members.insert("AssociatedPropagationSources".to_owned(), sources);
        members.insert("ClassicLinkEnabled".to_owned(), false.into());
        members.insert("SupportIpv4Gateway".to_owned(), false.into());
        members.insert("Ipv4GatewayId".to_owned(), "".into());
    }
    shown
}
