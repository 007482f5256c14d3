use super::*;
use crate::testing::{World, connect};

const RANGES: [(&str, &str); 2] = [("LocalSubnet", "10.0.0.0/16"), ("RemoteSubnet", "192.168.0.0/16")];

fn with_ranges<'a>(pairs: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut all = pairs.to_vec();
    for range in RANGES {
        if !all.iter().any(|pair| pair.0 == range.0) {
            all.push(range);
        }
    }
    all
}

#[test]
fn one_tunnel_by_json_strings() {
    let mut world = World::new();
    let gateway = world.gateway();
    let peer = world.customer_gateway("203.0.113.1");
    let pairs = [
        ("VpnGatewayId", gateway.as_str()),
        ("CustomerGatewayId", peer.as_str()),
        ("Name", "ipsec"),
        ("IkeConfig", "{\"Psk\":\"1234\",\"IkeVersion\":\"ikev2\"}"),
        ("HealthCheckConfig", "{\"enable\":\"true\",\"dip\":\"192.168.1.1\",\"sip\":\"10.0.1.1\"}"),
        ("EffectImmediately", "true"),
        ("Tags.1.Key", "k"),
    ];
    let made = world.ok("CreateVpnConnection", &with_ranges(&pairs));
    assert_eq!(made["Name"], "ipsec");
    assert_eq!(made["CreateTime"], 1_800_000_000_000_i64);
    let id = made["VpnConnectionId"].as_str().unwrap();
    let shown = world.ok("DescribeVpnConnection", &[("VpnConnectionId", id)]);
    assert_eq!(shown["State"], "updating");
    assert_eq!(shown["Status"], "ike_sa_not_established");
    assert_eq!(shown["IkeConfig"]["Psk"], "1234");
    assert_eq!(shown["IkeConfig"]["IkeVersion"], "ikev2");
    assert_eq!(shown["IkeConfig"]["IkeLifetime"], 86_400);
    assert_eq!(shown["IkeConfig"]["RemoteId"], "203.0.113.1");
    assert_eq!(shown["IkeConfig"]["LocalId"], shown["InternetIp"]);
    assert_eq!(shown["IpsecConfig"]["IpsecPfs"], "group2");
    assert_eq!(shown["EnableDpd"], true);
    assert_eq!(shown["VcoHealthCheck"]["Enable"], "true");
    assert_eq!(shown["VcoHealthCheck"]["Policy"], "revoke_route");
    assert_eq!(shown["TunnelOptionsSpecification"]["TunnelOptions"], json!([]));
    let gateway_now = world.ok("DescribeVpnGateway", &[("VpnGatewayId", &gateway)]);
    assert_eq!(gateway_now["Status"], "updating");
    world.observe();
    assert_eq!(world.ok("DescribeVpnConnection", &[("VpnConnectionId", id)])["State"], "active");
}

#[test]
fn what_is_switched_off_is_shown_as_it_was_sent() {
    let mut world = World::new();
    let gateway = world.gateway();
    let peer = world.customer_gateway("203.0.113.1");
    let bgp = r#"{"EnableBgp":false,"LocalAsn":"45104","TunnelCidr":"169.254.30.0/30","LocalBgpIp":"169.254.30.1"}"#;
    let check = r#"{"enable":false,"dip":"192.168.1.1","sip":"10.0.1.1","interval":10,"retry":5}"#;
    let pairs = [
        ("VpnGatewayId", gateway.as_str()),
        ("CustomerGatewayId", peer.as_str()),
        ("BgpConfig", bgp),
        ("HealthCheckConfig", check),
    ];
    let id = world.made("CreateVpnConnection", &with_ranges(&pairs), "VpnConnectionId");
    let shown = world.ok("DescribeVpnConnection", &[("VpnConnectionId", &id)]);
    assert_eq!(
        shown["VpnBgpConfig"],
        json!({"Status": "failed", "EnableBgp": "false", "TunnelCidr": "169.254.30.0/30", "LocalAsn": 45104,
            "LocalBgpIp": "169.254.30.1"})
    );
    assert_eq!(
        shown["VcoHealthCheck"],
        json!({"Enable": "false", "Dip": "192.168.1.1", "Sip": "10.0.1.1", "Interval": 10, "Retry": 5,
            "Status": "", "Policy": "revoke_route"})
    );
    assert_eq!(world.ok("DescribeVpnGateway", &[("VpnGatewayId", &gateway)])["EnableBgp"], false);
}

fn dual_pairs<'a>(gateway: &'a str, first: &'a str, second: &'a str) -> Vec<(&'a str, &'a str)> {
    with_ranges(&[
        ("VpnGatewayId", gateway),
        ("TunnelOptionsSpecification.1.Role", "master"),
        ("TunnelOptionsSpecification.1.CustomerGatewayId", first),
        ("TunnelOptionsSpecification.1.TunnelIkeConfig.Psk", "one"),
        ("TunnelOptionsSpecification.2.Role", "slave"),
        ("TunnelOptionsSpecification.2.CustomerGatewayId", second),
    ])
}

#[test]
fn two_tunnels_by_list() {
    let mut world = World::new();
    let gateway = world.dual_gateway();
    let (first, second) = (world.customer_gateway("203.0.113.1"), world.customer_gateway("203.0.113.2"));
    let id = world.made("CreateVpnConnection", &dual_pairs(&gateway, &first, &second), "VpnConnectionId");
    let shown = world.ok("DescribeVpnConnection", &[("VpnConnectionId", &id)]);
    let tunnels = shown["TunnelOptionsSpecification"]["TunnelOptions"].as_array().unwrap();
    assert_eq!(tunnels.len(), 2);
    assert_eq!((&tunnels[0]["Role"], &tunnels[1]["Role"]), (&json!("master"), &json!("slave")));
    assert!(tunnels[0]["TunnelId"].as_str().unwrap().starts_with("tun-bp1"));
    assert_eq!(tunnels[0]["TunnelIkeConfig"]["Psk"], "one");
    assert_eq!(tunnels[0]["TunnelIkeConfig"]["IkeLifetime"], "86400");
    assert_eq!(tunnels[1]["TunnelIkeConfig"]["Psk"].as_str().unwrap().len(), 16);
    assert_eq!(tunnels[0]["EnableDpd"], "true");
    assert_eq!(
        (&tunnels[0]["ZoneNo"], &tunnels[1]["ZoneNo"]),
        (&json!("cn-hangzhou-h"), &json!("cn-hangzhou-i"))
    );
    assert_ne!(tunnels[0]["InternetIp"], tunnels[1]["InternetIp"]);
    assert_eq!(shown["CustomerGatewayId"], "");
    for (peer, wanted) in [(&first, 1), (&second, 1)] {
        let found = world.ok("DescribeVpnConnections", &[("CustomerGatewayId", peer)]);
        assert_eq!(found["TotalCount"], wanted);
    }
}

#[test]
fn the_form_must_fit_the_gateway() {
    let mut world = World::new();
    let (single, dual) = (world.gateway(), world.dual_gateway());
    let peer = world.customer_gateway("203.0.113.1");
    let one = with_ranges(&[("VpnGatewayId", &dual), ("CustomerGatewayId", &peer)]);
    let word = "MissingParameter.TunnelOptionsSpecification";
    assert_eq!(world.code("CreateVpnConnection", &one), word);
    let two = dual_pairs(&single, &peer, &peer);
    assert_eq!(world.code("CreateVpnConnection", &two), "IllegalParam.TunnelOptionsSpecification");
}

#[test]
fn each_rule_has_its_code() {
    let mut world = World::new();
    let gateway = world.gateway();
    let peer = world.customer_gateway("203.0.113.1");
    let mut code = |pairs: &[(&str, &str)]| {
        let mut all = with_ranges(pairs);
        for base in [("VpnGatewayId", gateway.as_str()), ("CustomerGatewayId", peer.as_str())] {
            if !all.iter().any(|pair| pair.0 == base.0) {
                all.push(base);
            }
        }
        world.code("CreateVpnConnection", &all)
    };
    assert_eq!(code(&[("LocalSubnet", "10.0.0.1/16")]), "IllegalParam.LocalSubnet");
    let six = "1.0.0.0/8,2.0.0.0/8,3.0.0.0/8,4.0.0.0/8,5.0.0.0/8,6.0.0.0/8";
    assert_eq!(code(&[("RemoteSubnet", six)]), "IllegalParam.RemoteSubnet");
    assert_eq!(code(&[("LocalSubnet", "")]), "MissingLocalSubnet");
    assert_eq!(code(&[("Name", "http://a")]), "InvalidParameter.VpnConnectionName");
    assert_eq!(code(&[("VpnGatewayId", "vpn-none")]), "InvalidVpnGatewayInstanceId.NotFound");
    assert_eq!(code(&[("CustomerGatewayId", "cgw-none")]), "InvalidCustomerGatewayInstanceId.NotFound");
    assert_eq!(code(&[("HealthCheckConfig", "{\"Enable\":true}")]), "IllegalParam.HealthCheckConfig");
    assert_eq!(code(&[("DryRun", "true")]), "DryRunOperation");
    assert_eq!(code(&[("Tags.1.Key", "acs:a")]), "InvalidParameter.TagKey");
    let endless = "x".repeat(TEXT_BYTES_MAX + 1);
    assert_eq!(code(&[("RemoteCaCertificate", &endless)]), "InvalidRemoteCaCertificate");
    assert_eq!(code(&[("CustomerGatewayId", &endless)]), "InvalidCustomerGatewayId");
}

#[test]
fn a_range_of_the_networks_own_subnets_is_not_behind_the_tunnel() {
    let mut world = World::new();
    let gateway = world.gateway();
    let peer = world.customer_gateway("203.0.113.1");
    let mut try_with = |remote: &str, routes: &str| {
        let pairs = [
            ("VpnGatewayId", gateway.as_str()),
            ("CustomerGatewayId", peer.as_str()),
            ("RemoteSubnet", remote),
            ("AutoConfigRoute", routes),
            ("DryRun", "true"),
        ];
        world.code("CreateVpnConnection", &with_ranges(&pairs))
    };
    // The vSwitches are 10.0.1.0/24 and 10.0.2.0/24 of the VPC 10.0.0.0/8.
    for inside in ["10.0.1.0/24", "10.0.2.128/25"] {
        assert_eq!(try_with(inside, "true"), "VpnRouteEntry.Conflict", "{inside}");
        assert_eq!(try_with(inside, "false"), "DryRunOperation", "{inside}");
    }
    for beside in ["10.0.3.0/24", "10.0.0.0/16", "0.0.0.0/0"] {
        assert_eq!(try_with(beside, "true"), "DryRunOperation", "{beside}");
    }
}

#[test]
fn ranges_choose_the_selection() {
    let net = |text: &str| text.parse::<IpNet>().unwrap();
    let everything = [net("0.0.0.0/0")];
    assert_eq!(selection(&everything, &everything, &[]), Selection::Routes);
    let some = [net("10.0.0.0/8"), net("172.16.0.0/12")];
    assert_eq!(selection(&some, &everything, &[]), Selection::Ranges);
}

#[test]
fn a_gateway_that_is_busy_or_used_says_so() {
    let mut world = World::new();
    let gateway = world.gateway();
    let peer = world.customer_gateway("203.0.113.1");
    let pairs = with_ranges(&[("VpnGatewayId", &gateway), ("CustomerGatewayId", &peer)]);
    world.ok("CreateVpnConnection", &pairs);
    assert_eq!(world.code("CreateVpnConnection", &pairs), "VpnGateway.Configuring");
    let nobody = with_ranges(&[("VpnGatewayId", &gateway), ("CustomerGatewayId", "cgw-none")]);
    let word = "InvalidCustomerGatewayInstanceId.NotFound";
    assert_eq!(world.code("CreateVpnConnection", &nobody), word, "existence before state");
    world.observe();
    assert_eq!(world.code("CreateVpnConnection", &pairs), "InvalidVpnConnection.AlreadyExists");
    assert_eq!(
        world.code("DeleteCustomerGateway", &[("CustomerGatewayId", &peer)]),
        "DependencyViolation.VpnConnection"
    );
    assert_eq!(
        world.code("DeleteVpnGateway", &[("VpnGatewayId", &gateway)]),
        "DependencyViolation.VpnConnection"
    );
}

#[test]
fn gateways_of_the_national_standard_need_certificates() {
    let mut world = World::new();
    let [vpc, switch, _] = world.network();
    let pairs = [
        ("VpcId", vpc.as_str()),
        ("VSwitchId", switch.as_str()),
        ("Bandwidth", "10"),
        ("VpnType", "NationalStandard"),
    ];
    let gateway = world.made("CreateVpnGateway", &pairs, "VpnGatewayId");
    world.observe();
    let peer = world.customer_gateway("203.0.113.1");
    let mut pairs = with_ranges(&[("VpnGatewayId", &gateway), ("CustomerGatewayId", &peer)]);
    assert_eq!(world.code("CreateVpnConnection", &pairs), "MissingParam.RemoteId");
    pairs.push(("IkeConfig", "{\"RemoteId\":\"branch\"}"));
    assert_eq!(world.code("CreateVpnConnection", &pairs), "OperationFailed.MissCertificate");
}

/// A connection with BGP on a link.
fn bgp_config(link: &str, asn: u32) -> String {
    json!({"EnableBgp": true, "LocalAsn": asn, "TunnelCidr": link}).to_string()
}

#[test]
fn connections_of_a_gateway_agree() {
    let mut world = World::new();
    let gateway = world.gateway();
    let address = world.ok("DescribeVpnGateway", &[("VpnGatewayId", &gateway)])["InternetIp"].clone();
    let itself = world.customer_gateway(address.as_str().unwrap());
    let (one, two) = (world.customer_gateway("203.0.113.1"), world.customer_gateway("203.0.113.2"));
    let mut code = |peer: &str, remote: &str, more: &[(&str, &str)]| {
        world.observe();
        let mut pairs = connect(&gateway, peer, ["10.0.0.0/16", remote]);
        pairs.extend(more.iter().copied());
        world.call("CreateVpnConnection", &pairs).map_or_else(|failure| failure.code, |_| "made".to_owned())
    };
    let key = |psk: &str| json!({"Psk": psk}).to_string();
    assert_eq!(code(&itself, "192.168.0.0/16", &[]), "CustomerGateway.ConflictVpnIp");
    assert_eq!(code(&one, "203.0.113.0/24", &[]), "CustomerGateway.ConflictRouteEntry");
    assert_eq!(code(&one, "192.168.1.0/24", &[("IkeConfig", &key("a"))]), "made");
    let differs = "VpnConnectionParamInvalid.SameVpnAndCgwDifferentIkeConfigs";
    assert_eq!(code(&one, "192.168.2.0/24", &[("IkeConfig", &key("b"))]), differs);
    let overlap = "VpnConnectionParamInvalid.SameVpnAndCgwTrafficSelectorOverlap";
    assert_eq!(code(&one, "192.168.0.0/16", &[]), overlap);
    assert_eq!(code(&one, "192.168.2.0/24", &[]), "made");
    let (first, second) = (bgp_config("169.254.10.0/30", 45_104), bgp_config("169.254.11.0/30", 64_512));
    assert_eq!(code(&two, "192.168.3.0/24", &[("BgpConfig", &first)]), "made");
    assert_eq!(code(&two, "192.168.4.0/24", &[("BgpConfig", &first)]), "IllegalParam.TunnelCidr");
    assert_eq!(code(&two, "192.168.4.0/24", &[("BgpConfig", &second)]), "IllegalParam.LocalAsn");
    assert_eq!(code(&two, "192.168.4.0/24", &[]), "IllegalParam.EnableBgp");
}

#[test]
fn bgp_keeps_propagation_on_and_a_new_key_waits_for_the_gateway() {
    let mut world = World::new();
    let gateway = world.gateway();
    let peer = world.customer_gateway("203.0.113.1");
    let propagation = |value: &'static str| [("VpnGatewayId", gateway.as_str()), ("AutoPropagate", value)];
    world.ok("ModifyVpnGatewayAttribute", &propagation("true"));
    world.observe();
    let bgp = bgp_config("169.254.10.0/30", 45_104);
    let mut pairs = connect(&gateway, &peer, ["0.0.0.0/0"; 2]);
    pairs.push(("BgpConfig", &bgp));
    world.ok("CreateVpnConnection", &pairs);
    let new_key = [("CustomerGatewayId", peer.as_str()), ("AuthKey", "k")];
    assert_eq!(world.code("ModifyCustomerGatewayAttribute", &new_key), "OperationDenied.VpnConfiguring");
    world.observe();
    let stays = "OperationFailed.VpnConnectionExist";
    assert_eq!(world.code("ModifyVpnGatewayAttribute", &propagation("false")), stays);
    world.ok("ModifyCustomerGatewayAttribute", &new_key);
    let shown = world.ok("DescribeVpnGateway", &[("VpnGatewayId", &gateway)]);
    assert_eq!(shown["Status"], "updating");
}
