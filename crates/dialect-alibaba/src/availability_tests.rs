use super::*;
use crate::testing::{World, connect};

const RANGES: [(&str, &str); 2] = [("LocalSubnet", "10.0.0.0/16"), ("RemoteSubnet", "192.168.0.0/16")];
const BGP: &str = "{\"EnableBgp\":true,\"TunnelCidr\":\"169.254.10.0/30\",\"LocalBgpIp\":\"169.254.10.1\"}";

fn close(world: &mut World, zone: &str, why: Closed) {
    world.set(|region, _| region.closed_zones.extend([(zone.into(), why)]));
}

fn gateway(vpc: &str, switches: &[&str]) -> Vec<(&'static str, String)> {
    let names = ["VSwitchId", "DisasterRecoveryVSwitchId"];
    let mut pairs = vec![("VpcId", vpc.to_owned()), ("Bandwidth", "10".to_owned())];
    pairs.extend(names.into_iter().zip(switches.iter().map(|id| (*id).to_owned())));
    pairs
}

fn refusal(world: &mut World, pairs: &[(&'static str, String)]) -> String {
    let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
    world.code("CreateVpnGateway", &pairs)
}

#[test]
fn closed_zones() {
    let mut world = World::new();
    let [vpc, first, second] = world.network();
    let (one, two) = (gateway(&vpc, &[&second]), gateway(&vpc, &[&first, &second]));
    let swapped = gateway(&vpc, &[&second, &first]);
    close(&mut world, "cn-hangzhou-i", Closed::NotOffered);
    assert_eq!(refusal(&mut world, &one), "OperationFailed.AzNotSupport");
    assert_eq!(refusal(&mut world, &two), "InvalidVSwitchId.SecondVswitchNotSupport");
    assert_eq!(refusal(&mut world, &swapped), "InvalidVSwitchId.FirstVswitchNotSupport");
    close(&mut world, "cn-hangzhou-i", Closed::SoldOut);
    assert_eq!(refusal(&mut world, &one), "OperationFailed.InventoryNotEnough");
    assert_eq!(refusal(&mut world, &two), "InventoryNotEnough");
    let zones = world.ok("DescribeVpnGatewayAvailableZones", &[("Spec", "5M")]).to_string();
    assert!(zones.contains("cn-hangzhou-h") && !zones.contains("cn-hangzhou-i"), "{zones}");
}

#[test]
fn a_vswitch_among_the_public_addresses() {
    let mut world = World::new();
    let vpc = world.made("CreateVpc", &[("CidrBlock", "198.51.0.0/16")], "VpcId");
    let switch = [("VpcId", vpc.as_str()), ("ZoneId", "cn-hangzhou-h"), ("CidrBlock", "198.51.100.0/24")];
    let switch = world.made("CreateVSwitch", &switch, "VSwitchId");
    assert_eq!(refusal(&mut world, &gateway(&vpc, &[&switch])), "OperationFailed.VSwitchConflict");
}

#[test]
fn what_gateways_of_the_region_lack() {
    let mut world = World::new();
    let gateway = world.gateway();
    let peer = world.customer_gateway("203.0.113.1");
    world.set(|region, _| region.lacks.extend([Lack::Bgp, Lack::Dpd, Lack::NatTraversal]));
    let sound = [("VpnGatewayId", gateway.as_str()), ("CustomerGatewayId", peer.as_str())];
    for (name, value, wanted) in [
        ("EnableDpd", "true", "OperationUnsupported.SetDPD"),
        ("EnableNatTraversal", "false", "OperationUnsupported.SetNatTraversal"),
        ("BgpConfig", BGP, "OperationUnsupported.EnableBgp"),
    ] {
        let pairs = [&sound[..], &RANGES, &[(name, value)]].concat();
        assert_eq!(world.code("CreateVpnConnection", &pairs), wanted);
    }
    for action in ["ModifyVpnGatewayAttribute", "UpdateEnhancedVpnGateway"] {
        let pairs = [("VpnGatewayId", gateway.as_str()), ("AutoPropagate", "true")];
        assert_eq!(world.code(action, &pairs), "OperationUnsupported.EnableBgp");
    }
    let shown = world.ok("DescribeVpnGateway", &[("VpnGatewayId", &gateway)]);
    assert!(shown["Tag"].as_str().unwrap().contains("\"VpnEnableBgp\":\"false\""));
    world.ok("CreateVpnConnection", &[&sound[..], &RANGES].concat());
}

#[test]
fn algorithms_of_the_national_standard_are_for_its_gateways() {
    let mut world = World::new();
    let plain = world.gateway();
    let peer = world.customer_gateway("203.0.113.1");
    let [vpc, switch, _] = world.network();
    let national = [
        ("VpcId", vpc.as_str()),
        ("VSwitchId", switch.as_str()),
        ("Bandwidth", "10"),
        ("VpnType", "NationalStandard"),
    ];
    let national = world.made("CreateVpnGateway", &national, "VpnGatewayId");
    world.observe();
    for (gateway, config, wanted) in [
        (&plain, "{\"IpsecAuthAlg\":\"sm3\"}", "NotSupportVpnConnectionParameter.IpsecAuthAlg"),
        (&plain, "{\"IpsecEncAlg\":\"sm4\"}", "IllegalParam.IpsecEncAlg"),
        (&national, "{\"IpsecAuthAlg\":\"sha1\"}", "NotSupportVpnConnectionParameter.IpsecAuthAlg"),
        (&national, "{\"IpsecAuthAlg\":\"sm3\"}", "MissingParam.RemoteId"),
    ] {
        let own = [
            ("VpnGatewayId", gateway.as_str()),
            ("CustomerGatewayId", peer.as_str()),
            ("IpsecConfig", config),
        ];
        assert_eq!(world.code("CreateVpnConnection", &[&own[..], &RANGES].concat()), wanted, "{config}");
    }
}

#[test]
fn policy_routes_run_out() {
    let mut world = World::new();
    let gateway = world.gateway();
    let mut code = |number: u8, remotes: &[u8]| {
        let peer = world.customer_gateway(&format!("203.0.113.{number}"));
        let remotes: Vec<String> = remotes.iter().map(|third| format!("192.168.{third}.0/24")).collect();
        let (locals, remotes) = ("10.0.0.0/24,10.0.1.0/24,10.0.2.0/24,10.0.3.0/24", remotes.join(","));
        let pairs = [
            ("VpnGatewayId", gateway.as_str()),
            ("CustomerGatewayId", peer.as_str()),
            ("LocalSubnet", locals),
            ("RemoteSubnet", remotes.as_str()),
            ("IkeConfig", "{\"IkeVersion\":\"ikev2\"}"),
        ];
        let failure = world.call("CreateVpnConnection", &pairs).err();
        world.observe();
        failure.map(|failure| (failure.code, failure.message))
    };
    assert_eq!(code(1, &[1, 2, 3, 4]), None);
    let (word, message) = code(2, &[5, 6]).unwrap();
    assert_eq!(word, "QuotaExceeded.PolicyBasedRoute");
    assert!(
        message.ends_with("Existing routes: 16. Routes to be created: 8. Maximum routes: 20."),
        "{message}"
    );
    assert_eq!(code(3, &[7]), None);
    assert_eq!(code(4, &[8]).unwrap().0, "CreatePbrRoutesQuotaFull.QuotaFull");
}

#[test]
fn an_account_without_funds() {
    let mut world = World::new();
    let connection = world.connection();
    let gateway = world.ok("DescribeVpnConnection", &[("VpnConnectionId", &connection)]);
    let gateway = gateway["VpnGatewayId"].as_str().unwrap().to_owned();
    let peer = world.customer_gateway("203.0.113.9");
    world.set(|_, account| account.solvent = false);
    let create = [("VpnGatewayId", gateway.as_str()), ("CustomerGatewayId", peer.as_str())];
    let word = "VpnGateway.FinancialLocked";
    assert_eq!(world.code("CreateVpnConnection", &[&create[..], &RANGES].concat()), word);
    assert_eq!(world.code("DeleteVpnConnection", &[("VpnConnectionId", &connection)]), word);
    let rename = [("VpnGatewayId", gateway.as_str()), ("Name", "other")];
    assert_eq!(world.code("ModifyVpnGatewayAttribute", &rename), word);
    let shown = world.ok("DescribeVpnGateway", &[("VpnGatewayId", &gateway)]);
    assert_eq!(shown["BusinessStatus"], "FinancialLocked");
    for (status, wanted) in [("FinancialLocked", 1), ("Normal", 0)] {
        assert_eq!(world.ok("DescribeVpnGateways", &[("BusinessStatus", status)])["TotalCount"], wanted);
    }
}

#[test]
fn a_locked_gateways_sessions_keep_their_key() {
    let mut world = World::new();
    let gateway = world.gateway();
    let peer = world.customer_gateway("203.0.113.1");
    let mut pairs = connect(&gateway, &peer, ["0.0.0.0/0"; 2]);
    pairs.push(("BgpConfig", BGP));
    world.ok("CreateVpnConnection", &pairs);
    world.observe();
    world.set(|_, account| account.solvent = false);
    let change = [("CustomerGatewayId", peer.as_str()), ("AuthKey", "secret")];
    assert_eq!(world.code("ModifyCustomerGatewayAttribute", &change), "OperationDenied.VpnFinancialLocked");
    world.ok("ModifyCustomerGatewayAttribute", &[("CustomerGatewayId", &peer), ("Name", "other")]);
}

#[test]
fn an_account_without_billing_of_traffic() {
    let mut world = World::new();
    let [vpc, first, second] = world.network();
    world.set(|_, account| account.billing = false);
    let pairs = [
        ("VpcId", vpc.as_str()),
        ("VSwitchId", first.as_str()),
        ("DisasterRecoveryVSwitchId", second.as_str()),
        ("GatewayType", "Enhanced.SiteToSite"),
    ];
    let failure = world.call("CreateEnhancedVpnGateway", &pairs).unwrap_err();
    assert_eq!((failure.status, failure.code.as_str()), (400, "OperationFailed.OpenCdtServiceFirst"));
    assert!(failure.message.starts_with("The operation is failed because of "));
}
