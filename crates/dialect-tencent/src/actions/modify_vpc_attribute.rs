//! ModifyVpcAttribute: name, resolvers, domain and flags.

use causeway_model::Kind;
use causeway_ops::Operation;
use causeway_ops::operation::{FacetChange, Relabel};

use crate::action::{self, Action, Input};
use crate::actions::create_vpc::dns_servers;
use crate::facet::{self, NetworkFacet};
use crate::params::MALFORMED;
use crate::refusal::Refusal;

/// See the module.
pub const ACTION: Action =
    Action { service: "vpc", name: "ModifyVpcAttribute", decode, encode: action::done };

const NAME_CHARS_MAX: usize = 60;

fn decode(input: &Input<'_>) -> Result<Operation, Refusal> {
    let members = input.members();
    let id = members.required_id("VpcId", Kind::Network, MALFORMED)?;
    let name = match members.text("VpcName") {
        Some(_) => Some(members.name_chars("VpcName", NAME_CHARS_MAX)?),
        None => None,
    };
    if members.flag("EnableCdcPublish") == Some(true) {
        return Err(Refusal::unsupported("dedicated clusters"));
    }
    let multicast = members.flag_text("EnableMulticast")?;
    let servers = dns_servers(&members)?;
    let domain = members.text("DomainName");
    let publish = members.flag("EnableRouteVpcPublish");
    let publish_ipv6 = members.flag("EnableRouteVpcPublishIpv6");
    let facet = FacetChange::new(move |old| {
        let mut own: NetworkFacet = facet::read(old);
        own.multicast = multicast.unwrap_or(own.multicast);
        own.route_publish = publish.unwrap_or(own.route_publish);
        own.route_publish_ipv6 = publish_ipv6.unwrap_or(own.route_publish_ipv6);
        if !servers.is_empty() {
            own.dns_servers.clone_from(&servers);
        }
        if let Some(domain) = &domain {
            own.domain_name.clone_from(domain);
        }
        facet::write(&own)
    });
    let it = Relabel { kind: Kind::Network, id, name, description: None, facet: Some(facet) };
    Ok(Operation::Relabel(it))
}

#[cfg(test)]
mod tests {
    use causeway_model::View;
    use serde_json::json;

    use crate::testing;

    #[test]
    fn what_is_left_out_stays() {
        let mut view = View::default();
        let given = json!({"VpcName": "v", "CidrBlock": "10.0.0.0/16", "DnsServers": ["1.1.1.1"]});
        let made = testing::call(&mut view, "vpc", "CreateVpc", given).unwrap();
        let id = made["Vpc"]["VpcId"].clone();
        let given = json!({"VpcId": id, "DomainName": "www.demo.com"});
        testing::call(&mut view, "vpc", "ModifyVpcAttribute", given).unwrap();
        let found = testing::call(&mut view, "vpc", "DescribeVpcs", json!({"VpcIds": [id]})).unwrap();
        let vpc = &found["VpcSet"][0];
        assert_eq!((&vpc["VpcName"], &vpc["DnsServerSet"]), (&json!("v"), &json!(["1.1.1.1"])));
        assert_eq!(vpc["DomainName"], "www.demo.com");
    }
}
