use causeway_model::{
    DhGroup, DpdAction, Encryption, Gateway, GatewayStatus, IkeVersion, Integrity, Record, Selection, View,
    Write,
};
use serde_json::{Value, json};

use super::*;
use crate::testing;

fn decoded(extra: Value) -> Result<CreateConnection, String> {
    let base = json!({"VpnGatewayId": "vpngw-1w9tue3d", "CustomerGatewayId": "cgw-qa9sxpy7",
        "VpnConnectionName": "c", "PreShareKey": "123456", "Route": {"DestinationCidrBlock": "192.168.9.0/24"}});
    match testing::decode("CreateVpnConnection", testing::merged(base, extra)) {
        Ok(Operation::CreateConnection(it)) => Ok(it),
        Ok(other) => panic!("{other:?}"),
        Err(refusal) => Err(refusal.code.to_owned()),
    }
}

#[test]
fn defaults_are_the_documented_ones() {
    let it = decoded(json!({})).unwrap();
    let tunnel = &it.tunnels[0];
    assert_eq!(tunnel.ike.version, IkeVersion::V1Main);
    assert_eq!((tunnel.ike.encryption, tunnel.ike.integrity), (Encryption::TripleDesCbc, Integrity::Sha1));
    assert_eq!((tunnel.ike.dh_group, tunnel.ike.lifetime_s), (DhGroup(1), 86_400));
    assert_eq!((tunnel.esp.encryption, tunnel.esp.integrity), (Encryption::Aes128Cbc, Integrity::Sha1));
    assert_eq!((tunnel.esp.pfs_group, tunnel.esp.lifetime_s), (None, 14_400));
    assert_eq!(tunnel.esp.lifetime_bytes, Some(4_096_000_000 * 1024));
    assert_eq!((tunnel.dpd, it.health_check.is_none(), it.initiation), (None, true, Initiation::AtOnce));
    assert_eq!(it.selection, Selection::Routes);
    let passive = decoded(json!({"NegotiationType": "passive"})).unwrap();
    assert_eq!(passive.initiation, Initiation::ByPeer);
}

#[test]
fn what_terraform_sends_is_taken() {
    let it = decoded(json!({
        "VpcId": "vpc-gapcv96p",
        "SecurityPolicyDatabases": [{"LocalCidrBlock": "172.16.0.0/16", "RemoteCidrBlock": ["2.2.2.0/26", "3.3.3.0/24"]}],
        "IKEOptionsSpecification": {"PropoEncryAlgorithm": "3DES-CBC", "PropoAuthenAlgorithm": "MD5",
            "ExchangeMode": "MAIN", "LocalIdentity": "ADDRESS", "RemoteIdentity": "FQDN", "LocalAddress": "1.1.1.1",
            "RemoteFqdnName": "site.example", "DhGroupName": "GROUP1", "IKESaLifetimeSeconds": 86400, "IKEVersion": "IKEV1"},
        "IPSECOptionsSpecification": {"EncryptAlgorithm": "3DES-CBC", "IntegrityAlgorith": "MD5",
            "IPSECSaLifetimeSeconds": 3600, "PfsDhGroup": "NULL", "IPSECSaLifetimeTraffic": 1843200},
        "DpdEnable": 1, "DpdTimeout": "30", "DpdAction": "clear", "RouteType": "STATIC",
        "NegotiationType": "flowTrigger", "HealthCheckLocalIp": "", "EnableHealthCheck": false,
    }))
    .unwrap();
    let tunnel = &it.tunnels[0];
    assert_eq!(
        (tunnel.local_id.as_deref(), tunnel.remote_id.as_deref()),
        (Some("1.1.1.1"), Some("site.example"))
    );
    let dpd = tunnel.dpd.unwrap();
    assert_eq!((dpd.delay_s, dpd.timeout_s, dpd.action), (10, 30, DpdAction::Clear));
    assert!(matches!(&it.selection, Selection::Policies(policies) if policies.len() == 1));
    assert_eq!(
        (it.local_subnets.len(), it.remote_subnets.len(), it.initiation),
        (1, 2, Initiation::OnTraffic)
    );
}

#[test]
fn each_refusal_has_its_code() {
    let rule = |local: &str, remote: &str| json!({"LocalCidrBlock": local, "RemoteCidrBlock": [remote]});
    let policies = |rules: Vec<Value>| json!({"RouteType": "Policy", "SecurityPolicyDatabases": rules});
    let ike = |name: &str, value: Value| json!({"IKEOptionsSpecification": {name: value}});
    let esp = |name: &str, value: Value| json!({"IPSECOptionsSpecification": {name: value}});
    let bgp = |cidr: &str, local: &str, remote: &str| json!({"RouteType": "Bgp", "BgpConfig": {"TunnelCidr": cidr, "LocalBgpIp": local, "RemoteBgpIp": remote}});
    let cases = [
        (json!({"VpnGatewayId": "x"}), "InvalidParameterValue.Malformed"),
        (json!({"PreShareKey": ""}), "InvalidParameterValue.Empty"),
        (json!({"PreShareKey": "k".repeat(129)}), "InvalidParameterValue.TooLong"),
        (json!({"VpnConnectionName": "n".repeat(61)}), "InvalidParameterValue.TooLong"),
        (json!({"RouteType": "static"}), "InvalidParameterValue"),
        (json!({"RouteType": "Policy"}), "MissingParameter"),
        (json!({"Route": null}), "MissingParameter"),
        (json!({"RouteType": "STATIC", "Route": null}), "MissingParameter"),
        (json!({"RouteType": "Bgp"}), "MissingParameter"),
        (policies(vec![rule("10.0.0.0/8", "10.1.0.0/16")]), "InvalidParameterValue.VpnConnSpdCidrConflict"),
        (policies(vec![rule("10.0.0.0/8", "224.0.0.0/4")]), "InvalidParameterValue"),
        (policies(vec![rule("10.0.0.0/8", "::/0")]), "InvalidParameterValue.Malformed"),
        (policies(vec![rule("10.0.0.0/8", "9.9.0.0/16"); 2]), "InvalidParameterValue.VpnConnCidrConflict"),
        (policies((0..11).map(|n| rule(&format!("10.{n}.0.0/16"), "9.9.0.0/16")).collect()), "LimitExceeded"),
        (ike("PropoEncryAlgorithm", json!("AES")), "InvalidParameterValue"),
        (ike("IKESaLifetimeSeconds", json!(59)), "InvalidParameterValue"),
        (ike("IKESaLifetimeSeconds", json!(604_801)), "InvalidParameterValue"),
        (ike("LocalIdentity", json!("FQDN")), "MissingParameter"),
        (ike("DhGroupName", json!("GROUP3")), "InvalidParameterValue"),
        (ike("Version", json!("IKEV2")), "UnknownParameter"),
        (esp("IPSECSaLifetimeSeconds", json!(179)), "InvalidParameterValue"),
        (esp("IPSECSaLifetimeTraffic", json!(2_559)), "InvalidParameterValue"),
        (esp("PfsDhGroup", json!("GROUP2")), "InvalidParameterValue"),
        (json!({"DpdEnable": 2}), "InvalidParameterValue"),
        (json!({"DpdTimeout": "soon"}), "InvalidParameterValue"),
        (json!({"HealthCheckConfig": {"ProbeInterval": 999}}), "InvalidParameterValue"),
        (
            bgp("169.254.128.0/29", "169.254.128.1", "169.254.128.2"),
            "InvalidParameterValue.VpnConnBgpTunnelCidrMask",
        ),
        (
            bgp("169.254.128.0/30", "169.254.128.1", "169.254.128.6"),
            "InvalidParameterValue.VpnConnBgpTunnelCidrNotSupported",
        ),
        (
            testing::merged(
                policies(vec![rule("10.0.0.0/8", "9.9.0.0/16")]),
                json!({"EnableHealthCheck": true}),
            ),
            "UnsupportedOperation.VpnConnCidrNotSupportedHealthCheck",
        ),
    ];
    for (extra, code) in cases {
        assert_eq!(decoded(extra.clone()).err().as_deref(), Some(code), "{extra}");
    }
}

#[test]
fn probe_addresses_are_chosen_when_none_are_given() {
    let it = decoded(json!({"EnableHealthCheck": true, "RouteType": "StaticRoute", "Route": null})).unwrap();
    let check = it.health_check.unwrap();
    assert_ne!(check.source, check.destination);
    for ip in [check.source, check.destination] {
        let range: ipnet::IpNet = "169.254.128.0/17".parse().unwrap();
        assert!(range.contains(&ip), "{ip}");
    }
    assert_eq!((check.interval_s, check.retries), (5, 3));
}

/// A store with a gateway that is available and a customer gateway, and their ids.
pub fn with_gateways(view: &mut View) -> (Value, Value) {
    let vpc = json!({"VpcName": "v", "CidrBlock": "10.0.0.0/16"});
    let vpc = testing::call(view, "vpc", "CreateVpc", vpc).unwrap();
    let gateway =
        json!({"VpcId": vpc["Vpc"]["VpcId"], "VpnGatewayName": "g", "InternetMaxBandwidthOut": 200});
    let gateway = testing::call(view, "vpc", "CreateVpnGateway", gateway).unwrap();
    let peer = json!({"CustomerGatewayName": "p", "IpAddress": "58.211.1.12", "BgpAsn": 65_010});
    let peer = testing::call(view, "vpc", "CreateCustomerGateway", peer).unwrap();
    let writes: Vec<Write> = view
        .records()
        .filter_map(|record| match record {
            Record::Gateway(it) => {
                let mut it = (**it).clone();
                it.status =
                    GatewayStatus { observed_generation: 9, was_active: true, ..GatewayStatus::default() };
                Some(Write::Put(it.into()))
            }
            _ => None,
        })
        .collect();
    view.apply(&writes);
    (gateway["VpnGateway"]["VpnGatewayId"].clone(), peer["CustomerGateway"]["CustomerGatewayId"].clone())
}

#[test]
fn the_answer_holds_what_terraform_reads_without_a_check() {
    let mut view = View::default();
    let (gateway, peer) = with_gateways(&mut view);
    let given = json!({"VpnGatewayId": gateway, "CustomerGatewayId": peer, "VpnConnectionName": "c",
        "PreShareKey": "123456", "RouteType": "StaticRoute"});
    let answer = testing::call(&mut view, "vpc", "CreateVpnConnection", given.clone()).unwrap();
    let it = answer["VpnConnection"].clone();
    assert!(it.as_object().unwrap().values().all(|member| !member.is_null()));
    assert_eq!((&it["State"], &it["NetStatus"]), (&json!("PENDING"), &json!("UNAVAILABLE")));
    // DpdTimeout is a text, the lifetimes are numbers, and both spellings of the integrity are there.
    assert_eq!((&it["DpdTimeout"], &it["DpdEnable"]), (&json!("30"), &json!(0)));
    assert_eq!(it["IKEOptionsSpecification"].as_object().unwrap().len(), 12);
    assert_eq!(it["IKEOptionsSpecification"]["IKESaLifetimeSeconds"], 86_400);
    assert_eq!(it["IKEOptionsSpecification"]["RemoteAddress"], "58.211.1.12");
    assert_eq!(it["IKEOptionsSpecification"]["RemoteFqdnName"], "");
    assert_eq!(it["IPSECOptionsSpecification"]["IntegrityAlgorith"], "SHA1");
    assert_eq!(it["IPSECOptionsSpecification"]["IntegrityAlgorithm"], "SHA1");
    assert_eq!(it["IPSECOptionsSpecification"]["PfsDhGroup"], "NULL");
    assert_eq!(it["PreShareKey"], "123456");
    assert_eq!(it["SecurityPolicyDatabaseSet"][0]["LocalCidrBlock"], "0.0.0.0/0");
    let again = testing::call(&mut view, "vpc", "CreateVpnConnection", given).expect_err("one for each pair");
    assert_eq!(again.code, "LimitExceeded");
    // Read after write: exactly one item, by id and by the filters that Terraform uses.
    let ids = json!({"VpnConnectionIds": [it["VpnConnectionId"]]});
    let filters = json!({"Offset": 0, "Filters": [
        {"Name": "vpn-gateway-id", "Values": [gateway]},
        {"Name": "vpc-id", "Values": [it["VpcId"]]},
        {"Name": "customer-gateway-id", "Values": [peer]},
    ]});
    for given in [ids, filters] {
        let found = testing::call(&mut view, "vpc", "DescribeVpnConnections", given).unwrap();
        assert_eq!(found["TotalCount"], 1);
        assert_eq!(found["VpnConnectionSet"][0], it);
    }
    let task =
        testing::call(&mut view, "vpc", "DescribeVpcTaskResult", json!({"TaskId": testing::REQUEST_ID}));
    assert_eq!(task.unwrap()["Status"], "RUNNING");
    let used = testing::call(&mut view, "vpc", "DeleteVpnGateway", json!({"VpnGatewayId": gateway}));
    assert_eq!(used.expect_err("is used").code, "UnsupportedOperation");
    let used = testing::call(&mut view, "vpc", "DeleteCustomerGateway", json!({"CustomerGatewayId": peer}));
    assert_eq!(used.expect_err("is used").code, "ResourceInUse");
    let deletion = json!({"VpnGatewayId": gateway, "VpnConnectionId": it["VpnConnectionId"]});
    testing::call(&mut view, "vpc", "DeleteVpnConnection", deletion.clone()).unwrap();
    let again = testing::call(&mut view, "vpc", "DeleteVpnConnection", deletion);
    assert_eq!(again.expect_err("is busy").code, "UnsupportedOperation.InvalidState");
    let found = testing::call(&mut view, "vpc", "DescribeVpnConnections", json!({})).unwrap();
    assert_eq!(found["VpnConnectionSet"][0]["State"], "DELETING");
    let task = crate::task::deletion_id(it["VpnConnectionId"].as_str().unwrap(), 1);
    let task = json!({"TaskId": task});
    let status = |view: &mut View| {
        testing::call(view, "vpc", "DescribeVpcTaskResult", task.clone()).unwrap()["Status"].clone()
    };
    assert_eq!(status(&mut view), "RUNNING");
    // Another account's is as one that is gone.
    let id = it["VpnConnectionId"].as_str().unwrap().into();
    let Some(Record::Connection(known)) = view.by_external(&"tencent".into(), Kind::Connection, &id) else {
        panic!("it is there")
    };
    let mut foreign = (**known).clone();
    foreign.meta.owner = "somebody".into();
    view.apply(&[Write::Put(foreign.into())]);
    assert_eq!(status(&mut view), "SUCCESS");
}

#[test]
fn rules_are_shown_as_they_were_given() {
    let everything = json!([{"LocalCidrBlock": "0.0.0.0/0", "RemoteCidrBlock": ["0.0.0.0/0"]}]);
    let some =
        json!([{"LocalCidrBlock": "10.0.0.0/16", "RemoteCidrBlock": ["192.168.1.0/24", "192.168.2.0/24"]}]);
    let link = json!({"TunnelCidr": "169.254.128.0/30", "LocalBgpIp": "169.254.128.1", "RemoteBgpIp": "169.254.128.2"});
    let cases = [
        (json!({"RouteType": "StaticRoute"}), everything.clone()),
        (json!({"RouteType": "StaticRoute", "SecurityPolicyDatabases": some}), some.clone()),
        (json!({"Route": {"DestinationCidrBlock": "192.168.9.0/24"}}), json!([])),
        (json!({"RouteType": "Policy", "SecurityPolicyDatabases": some}), some.clone()),
        (json!({"RouteType": "Bgp", "BgpConfig": link}), json!([])),
        (json!({"RouteType": "Bgp", "BgpConfig": link, "SecurityPolicyDatabases": everything}), everything),
    ];
    for (extra, wanted) in cases {
        let mut view = View::default();
        let (gateway, peer) = with_gateways(&mut view);
        let given = json!({"VpnGatewayId": gateway, "CustomerGatewayId": peer, "VpnConnectionName": "c",
            "PreShareKey": "123456"});
        let answer =
            testing::call(&mut view, "vpc", "CreateVpnConnection", testing::merged(given, extra.clone()));
        let answer = answer.unwrap_or_else(|refusal| panic!("{extra}: {refusal:?}"));
        assert_eq!(answer["VpnConnection"]["SecurityPolicyDatabaseSet"], wanted, "{extra}");
    }
}

#[test]
fn bgp_takes_both_numbers_from_the_gateways() {
    let mut view = View::default();
    let (gateway, peer) = with_gateways(&mut view);
    let given = json!({"VpnGatewayId": gateway, "CustomerGatewayId": peer, "VpnConnectionName": "c",
        "PreShareKey": "123456", "RouteType": "Bgp", "BgpConfig": {"TunnelCidr": "169.254.128.0/30",
        "LocalBgpIp": "169.254.128.1", "RemoteBgpIp": "169.254.128.2"}});
    let answer = testing::call(&mut view, "vpc", "CreateVpnConnection", given).unwrap();
    let config = &answer["VpnConnection"]["BgpConfig"];
    assert_eq!((&config["LocalBgpAsn"], &config["RemoteBgpAsn"]), (&json!("64551"), &json!("65010")));
}

#[test]
fn remote_ranges_are_apart_from_the_vpc_and_from_other_connections() {
    let mut view = View::default();
    let (gateway, peer) = with_gateways(&mut view);
    let second = json!({"CustomerGatewayName": "q", "IpAddress": "58.211.1.13"});
    let second = testing::call(&mut view, "vpc", "CreateCustomerGateway", second).unwrap();
    let second = second["CustomerGateway"]["CustomerGatewayId"].clone();
    let given = |peer: &Value, remote: &str| {
        json!({"VpnGatewayId": gateway, "CustomerGatewayId": peer, "VpnConnectionName": "c", "PreShareKey": "k",
            "RouteType": "Policy", "SecurityPolicyDatabases":
            [{"LocalCidrBlock": "10.0.1.0/24", "RemoteCidrBlock": [remote]}]})
    };
    let inside = testing::call(&mut view, "vpc", "CreateVpnConnection", given(&peer, "10.0.2.0/24"));
    assert_eq!(inside.expect_err("is inside").code, "InvalidParameterValue.VpcCidrConflict");
    testing::call(&mut view, "vpc", "CreateVpnConnection", given(&peer, "192.168.0.0/16")).unwrap();
    let taken = testing::call(&mut view, "vpc", "CreateVpnConnection", given(&second, "192.168.7.0/24"));
    assert_eq!(taken.expect_err("is taken").code, "InvalidParameterValue.VpnConnCidrConflict");
    testing::call(&mut view, "vpc", "CreateVpnConnection", given(&second, "172.20.0.0/16")).unwrap();
}

#[test]
fn connections_of_one_gateway_are_apart() {
    let mut view = View::default();
    let (gateway, peer) = with_gateways(&mut view);
    let device = |view: &mut View, ip: &str, asn: u32| {
        let given = json!({"CustomerGatewayName": "d", "IpAddress": ip, "BgpAsn": asn});
        let made = testing::call(view, "vpc", "CreateCustomerGateway", given).unwrap();
        made["CustomerGateway"]["CustomerGatewayId"].clone()
    };
    let own_number = device(&mut view, "58.211.1.13", 64_551);
    let same_number = device(&mut view, "58.211.1.14", 65_010);
    let other = device(&mut view, "58.211.1.15", 65_011);
    let bgp = |peer: &Value, link: &str| {
        json!({"VpnGatewayId": gateway, "CustomerGatewayId": peer, "VpnConnectionName": "c", "PreShareKey": "k",
            "RouteType": "Bgp", "BgpConfig": {"TunnelCidr": format!("169.254.128.{link}/30"),
            "LocalBgpIp": format!("169.254.128.{}", link.parse::<u8>().unwrap() + 1),
            "RemoteBgpIp": format!("169.254.128.{}", link.parse::<u8>().unwrap() + 2)}})
    };
    let mut code = |given: Value| {
        testing::call(&mut view, "vpc", "CreateVpnConnection", given).err().map(|refusal| refusal.code)
    };
    assert_eq!(code(bgp(&own_number, "0")), Some("UnsupportedOperation.VpnUnsupportedBgpAsnEqual"));
    assert_eq!(code(bgp(&peer, "0")), None);
    assert_eq!(code(bgp(&same_number, "4")), Some("UnsupportedOperation.VpnUnsupportedBgpAsnEqual"));
    assert_eq!(code(bgp(&other, "0")), Some("InvalidParameterValue.VpnConnBgpTunnelCidrConflict"));
    let without = json!({"VpnGatewayId": gateway, "CustomerGatewayId": other, "VpnConnectionName": "c",
        "PreShareKey": "k", "RouteType": "StaticRoute"});
    assert_eq!(code(without), Some("UnsupportedOperation.VpnConnRouteTypeMixed"));
    assert_eq!(code(bgp(&other, "4")), None);
}

#[test]
fn probes_have_addresses_of_their_own() {
    let mut view = View::default();
    let (gateway, peer) = with_gateways(&mut view);
    let second = json!({"CustomerGatewayName": "q", "IpAddress": "58.211.1.13"});
    let second = testing::call(&mut view, "vpc", "CreateCustomerGateway", second).unwrap();
    let second = second["CustomerGateway"]["CustomerGatewayId"].clone();
    let given = |peer: &Value| {
        json!({"VpnGatewayId": gateway, "CustomerGatewayId": peer, "VpnConnectionName": "c", "PreShareKey": "k",
            "RouteType": "StaticRoute", "EnableHealthCheck": true, "HealthCheckLocalIp": "169.254.128.1",
            "HealthCheckRemoteIp": "169.254.128.2"})
    };
    testing::call(&mut view, "vpc", "CreateVpnConnection", given(&peer)).unwrap();
    let taken = testing::call(&mut view, "vpc", "CreateVpnConnection", given(&second));
    assert_eq!(taken.expect_err("is taken").code, "InvalidParameterValue.VpnConnHealthCheckIpConflict");
    let mut inside = given(&second);
    inside["HealthCheckLocalIp"] = json!("10.0.1.9");
    inside["HealthCheckRemoteIp"] = json!("169.254.128.4");
    let inside = testing::call(&mut view, "vpc", "CreateVpnConnection", inside);
    assert_eq!(inside.expect_err("is the VPC's").code, "InvalidParameterValue.VpnConnHealthCheckIpConflict");
}

#[test]
fn bgp_needs_a_large_gateway() {
    let mut view = View::default();
    let (gateway, peer) = with_gateways(&mut view);
    let id = gateway.as_str().unwrap().to_owned();
    let small = view.records().find_map(|record| match record {
        Record::Gateway(it) if it.meta.external.as_str() == id => {
            Some(Write::Put(Gateway { bandwidth_mbps: 100, ..(**it).clone() }.into()))
        }
        _ => None,
    });
    view.apply(&[small.unwrap()]);
    let given = json!({"VpnGatewayId": gateway, "CustomerGatewayId": peer, "VpnConnectionName": "c",
        "PreShareKey": "k", "RouteType": "Bgp", "BgpConfig": {"TunnelCidr": "169.254.128.0/30",
        "LocalBgpIp": "169.254.128.1", "RemoteBgpIp": "169.254.128.2"}});
    let refusal = testing::call(&mut view, "vpc", "CreateVpnConnection", given).expect_err("is too small");
    assert_eq!(refusal.code, "UnsupportedOperation.VpnUnsupportedBgp");
}
