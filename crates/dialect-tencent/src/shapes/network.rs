//! `Vpc`.

use causeway_dialect::time;
use causeway_model::{Network, View};
use serde_json::{Value, json};

use crate::facet::{self, NetworkFacet};
use crate::shapes::tag_set;

/// The resolvers of a VPC that names none.
pub const DNS_DEFAULT: [&str; 2] = ["183.60.83.19", "183.60.82.98"];

/// A VPC.
pub fn vpc(_: &View, it: &Network) -> Value {
    let own: NetworkFacet = facet::read(&it.meta.facet);
    let dns = if own.dns_servers.is_empty() { json!(DNS_DEFAULT) } else { json!(own.dns_servers) };
    let assistants: Vec<Value> = it
        .secondary_cidrs
        .iter()
        .map(|cidr| {
            json!({
                "VpcId": it.meta.external.as_str(),
                "CidrBlock": cidr.to_string(),
                "AssistantType": 0,
                "SubnetSet": [],
            })
        })
        .collect();
    json!({
        "VpcName": it.meta.name,
        "VpcId": it.meta.external.as_str(),
        "CidrBlock": it.cidr.to_string(),
        "IsDefault": it.is_default,
        "EnableMulticast": own.multicast,
        "CreatedTime": time::china_standard(it.meta.created),
        "DnsServerSet": dns,
        "DomainName": own.domain_name,
        "DhcpOptionsId": "",
        "EnableDhcp": true,
        "Ipv6CidrBlock": "",
        "TagSet": tag_set(&it.meta),
        "AssistantCidrSet": assistants,
        "EnableRouteVpcPublish": own.route_publish,
        "Ipv6CidrBlockSet": [],
        "EnableRouteVpcPublishIpv6": own.route_publish_ipv6,
    })
}
