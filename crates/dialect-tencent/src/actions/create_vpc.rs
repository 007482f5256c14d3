//! CreateVpc: a VPC and its main route table. Synchronous.

use causeway_dialect::EncodeContext;
use causeway_model::NetworkId;
use causeway_ops::operation::{CreateNetwork, Label};
use causeway_ops::{Operation, Outcome};
use ipnet::{IpNet, Ipv4Net};

use crate::action::{self, Action, Answer, Input};
use crate::facet::{self, NetworkFacet};
use crate::params::{MALFORMED, Members};
use crate::refusal::Refusal;
use crate::shapes::network::vpc;

/// See the module.
pub const ACTION: Action = Action { service: "vpc", name: "CreateVpc", decode, encode };

const NAME_BYTES_MAX: usize = 60;
const DNS_SERVERS_MAX: usize = 4;
/// Ranges that a VPC may be in, with the bounds of its mask. The page says 10.0.0.0/12, the console and the
/// service take all of 10.0.0.0/8.
const RANGES: [(&str, u8); 3] = [("10.0.0.0/8", 12), ("172.16.0.0/12", 12), ("192.168.0.0/16", 16)];
const MASK_MAX: u8 = 28;

fn decode(input: &Input<'_>) -> Result<Operation, Refusal> {
    let members = input.members();
    let name = members.name_bytes("VpcName", NAME_BYTES_MAX)?;
    let stack = members.word("StackType", &["DualStack", "IPv6Only"])?;
    members.word("AddressType", &["GUA", "ULA"])?;
    if stack == Some("IPv6Only") || members.text("Ipv6CidrBlock").is_some() {
        return Err(Refusal::unsupported("IPv6 VPCs"));
    }
    let cidr = members.cidr("CidrBlock")?.ok_or_else(|| Refusal::missing("CidrBlock"))?;
    if !is_private(cidr) {
        return Err(Refusal::value("CidrBlock", cidr));
    }
    let own = NetworkFacet {
        multicast: members.flag_text("EnableMulticast")?.unwrap_or(false),
        dns_servers: dns_servers(&members)?,
        domain_name: members.text("DomainName").unwrap_or_default(),
        route_publish: members.flag("EnableRouteVpcPublish").unwrap_or(false),
        route_publish_ipv6: members.flag("EnableRouteVpcPublishIpv6").unwrap_or(false),
    };
    let label = Label { name, tags: members.tags()?, facet: facet::write(&own), ..Label::default() };
    let it = CreateNetwork { label, cidr: IpNet::V4(cidr), secondary_cidrs: Vec::new(), is_default: false };
    Ok(Operation::CreateNetwork(it))
}

fn is_private(cidr: Ipv4Net) -> bool {
    RANGES.iter().any(|(range, mask_min)| {
        let contains = range.parse::<Ipv4Net>().is_ok_and(|range| range.contains(&cidr));
        contains && (*mask_min..=MASK_MAX).contains(&cidr.prefix_len())
    })
}

/// The resolvers given.
///
/// # Errors
/// `InvalidParameterValue.LimitExceeded` for more than four, `InvalidParameterValue.Malformed` for others than
/// addresses.
pub fn dns_servers(members: &Members<'_>) -> Result<Vec<String>, Refusal> {
    let servers = members.texts("DnsServers");
    if servers.len() > DNS_SERVERS_MAX {
        return Err(Refusal::value_as("InvalidParameterValue.LimitExceeded", "DnsServers", servers.len()));
    }
    match servers.iter().find(|server| server.parse::<std::net::IpAddr>().is_err()) {
        Some(wrong) => Err(Refusal::malformed(MALFORMED, "DnsServers", wrong)),
        None => Ok(servers),
    }
}

fn encode(outcome: &Outcome, context: &EncodeContext<'_>) -> Result<Answer, Refusal> {
    let made = action::created(outcome).and_then(|key| context.view.network(NetworkId(key.id)));
    let made = made.ok_or_else(action::lost)?;
    Ok(action::one("Vpc", vpc(context.view, made)))
}

#[cfg(test)]
mod tests {
    use causeway_model::View;
    use serde_json::json;

    use crate::testing;

    #[test]
    fn ranges_are_bounded() {
        for (cidr, is_right) in [
            ("10.8.0.0/16", true),
            ("10.0.0.0/12", true),
            ("10.0.0.0/11", false),
            ("172.16.0.0/12", true),
            ("172.32.0.0/16", false),
            ("192.168.0.0/16", true),
            ("192.168.1.0/28", true),
            ("192.168.1.0/29", false),
            ("8.8.8.0/24", false),
            ("10.0.0.1/16", false),
        ] {
            let given = json!({"VpcName": "v", "CidrBlock": cidr});
            assert_eq!(testing::decode("CreateVpc", given).is_ok(), is_right, "{cidr}");
        }
    }

    #[test]
    fn each_refusal_has_its_code() {
        let cases = [
            (json!({"CidrBlock": "10.0.0.0/16"}), "MissingParameter"),
            (json!({"VpcName": "v"}), "MissingParameter"),
            (json!({"VpcName": "v".repeat(61), "CidrBlock": "10.0.0.0/16"}), "InvalidParameterValue.TooLong"),
            (json!({"VpcName": "v", "CidrBlock": "10.0.0.0"}), "InvalidParameterValue.Malformed"),
            (
                json!({"VpcName": "v", "CidrBlock": "10.0.0.0/16", "EnableMulticast": true}),
                "InvalidParameter",
            ),
            (
                json!({"VpcName": "v", "CidrBlock": "10.0.0.0/16", "DnsServers": vec!["1.1.1.1"; 5]}),
                "InvalidParameterValue.LimitExceeded",
            ),
            (json!({"VpcName": "v", "StackType": "IPv6Only"}), "UnsupportedOperation"),
        ];
        for (given, code) in cases {
            let refusal = testing::decode("CreateVpc", given.clone()).expect_err("is refused");
            assert_eq!(refusal.code, code, "{given}");
        }
    }

    #[test]
    fn what_terraform_sends_makes_a_vpc() {
        let mut view = View::default();
        let given = json!({"VpcName": "v", "CidrBlock": "10.0.0.0/16", "EnableMulticast": "false",
            "EnableRouteVpcPublish": false, "EnableRouteVpcPublishIpv6": false});
        let answer = testing::call(&mut view, "vpc", "CreateVpc", given).unwrap();
        let vpc = &answer["Vpc"];
        assert_eq!(vpc["CidrBlock"], "10.0.0.0/16");
        assert_eq!(vpc["EnableMulticast"], false);
        assert_eq!(vpc["DnsServerSet"], json!(["183.60.83.19", "183.60.82.98"]));
        assert!(vpc["VpcId"].as_str().unwrap().starts_with("vpc-"));
    }
}
