use super::*;
use crate::testing::{World, refusal};

/// The code of the refusal of an otherwise complete request.
fn code(pairs: &[(&str, &str)]) -> String {
    let mut all = pairs.to_vec();
    for base in [("RegionId", "cn-hangzhou"), ("VpcId", "vpc-1"), ("Bandwidth", "200")] {
        if !all.iter().any(|pair| pair.0 == base.0) {
            all.push(base);
        }
    }
    refusal("CreateVpnGateway", &all)
}

#[test]
fn the_older_editions_example_runs() {
    let mut world = World::new();
    let [vpc, _, _] = world.network();
    let made = world.ok(
        "CreateVpnGateway",
        &[
            ("Bandwidth", "5"),
            ("VpcId", &vpc),
            ("Name", "MYVPN"),
            ("InstanceChargeType", "PREPAY"),
            ("Period", "1"),
            ("AutoPay", "false"),
            ("EnableIpsec", "true"),
            ("EnableSsl", "true"),
            ("SslConnections", "2"),
        ],
    );
    assert_eq!(made["Name"], "MYVPN");
    assert!(made["OrderId"].as_i64().unwrap() > 0);
    let id = made["VpnGatewayId"].as_str().unwrap();
    world.observe();
    // The order is not paid: the gateway is not made.
    let shown = world.ok("DescribeVpnGateway", &[("VpnGatewayId", id)]);
    assert_eq!(shown["Status"], "init");
    assert_eq!(shown["ChargeType"], "Prepay");
    assert_eq!(shown["SslMaxConnections"], 2);
}

#[test]
fn defaults_and_the_way_to_active() {
    let mut world = World::new();
    let [vpc, switch, _] = world.network();
    let pairs = [("VpcId", vpc.as_str()), ("VSwitchId", switch.as_str()), ("Bandwidth", "10")];
    let made = world.ok("CreateVpnGateway", &pairs);
    assert_eq!(made["Name"], made["VpnGatewayId"]);
    let id = made["VpnGatewayId"].as_str().unwrap();
    let shown = world.ok("DescribeVpnGateway", &[("VpnGatewayId", id)]);
    assert_eq!(shown["Status"], "provisioning");
    assert_eq!(shown["ChargeType"], "PostpayByFlow");
    assert_eq!(shown["Spec"], "10M");
    assert_eq!(shown["VSwitchId"], switch.as_str());
    assert_eq!((&shown["IpsecVpn"], &shown["SslVpn"]), (&json!("enable"), &json!("disable")));
    world.observe();
    assert_eq!(world.ok("DescribeVpnGateway", &[("VpnGatewayId", id)])["Status"], "active");
}

#[test]
fn two_switches_make_two_instances() {
    let mut world = World::new();
    let [vpc, first, second] = world.network();
    let with = |one: &str, two: &str| {
        [
            ("VpcId", vpc.clone()),
            ("Bandwidth", "10".into()),
            ("VSwitchId", one.into()),
            ("DisasterRecoveryVSwitchId", two.into()),
        ]
    };
    let pairs = with(&first, &second);
    let pairs = pairs.each_ref().map(|(name, value)| (*name, value.as_str()));
    let id = world.made("CreateVpnGateway", &pairs, "VpnGatewayId");
    let shown = world.ok("DescribeVpnGateway", &[("VpnGatewayId", &id)]);
    assert_eq!(shown["DisasterRecoveryVSwitchId"], second.as_str());
    assert_ne!(shown["InternetIp"], shown["DisasterRecoveryInternetIp"]);
    assert_eq!(shown["EniInstanceIds"]["EniInstanceId"].as_array().unwrap().len(), 2);
    let same = with(&first, &first);
    let same = same.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert_eq!(world.code("CreateVpnGateway", &same), "InvalidVSwitchId.VswitchIdShouldDifferent");
}

#[test]
fn each_rule_has_its_code() {
    assert_eq!(code(&[]), "accepted");
    assert_eq!(code(&[("Bandwidth", "7")]), "InvalidSpec.NotFound");
    assert_eq!(code(&[("Bandwidth", "x")]), "InvalidBandwidth");
    assert_eq!(code(&[("Bandwidth", "10"), ("NetworkType", "private")]), "InvalidSpec.NotFound");
    // Every size of private gateways is known, and none is made.
    let private = code(&[("NetworkType", "private")]);
    assert_eq!(private, "InvalidNetworkType");
    assert_eq!(code(&[("NetworkType", "odd")]), "InvalidNetworkType");
    assert_eq!(code(&[("Name", "1a")]), "InvalidName");
    assert_eq!(code(&[("InstanceChargeType", "PAYLATER")]), "ChargeType.NotSupport");
    assert_eq!(code(&[("InstanceChargeType", "PREPAY")]), "InvalidPeriod");
    assert_eq!(code(&[("InstanceChargeType", "PREPAY"), ("Period", "36")]), "accepted");
    for wrong in ["0", "10", "37", "-1"] {
        assert_eq!(code(&[("InstanceChargeType", "PREPAY"), ("Period", wrong)]), "InvalidPeriod");
    }
    assert_eq!(code(&[("EnableIpsec", "false")]), "InvalidVpnEnable");
    assert_eq!(code(&[("EnableIpsec", "false"), ("EnableSsl", "True")]), "accepted");
    assert_eq!(code(&[("EnableSsl", "false"), ("SslConnections", "5")]), "UnnecessarySslConnection");
    assert_eq!(code(&[("EnableSsl", "true"), ("SslConnections", "7")]), "InvalidSpec.NotFound");
    assert_eq!(code(&[("EnableSsl", "true"), ("NetworkType", "private")]), "OperationFailed.SslNotSupport");
    let national = [("VpnType", "NationalStandard"), ("NetworkType", "private")];
    assert_eq!(code(&national), "OperationFailed.NetworkTypeNotMatch");
    assert_eq!(code(&[("VpnType", "Odd")]), "InvalidVpnType");
    assert_eq!(code(&[("RegionId", "nowhere")]), "InvalidRegionId.NotFound");
}

#[test]
fn regions_with_two_tunnels_want_two_switches() {
    let seoul = ("RegionId", "ap-northeast-2");
    assert_eq!(code(&[seoul]), "MissingParameter");
    // The second one is asked for by the operation, which knows the network.
    let call = crate::testing::decode(
        "CreateVpnGateway",
        &[seoul, ("VpcId", "vpc-1"), ("Bandwidth", "10"), ("VSwitchId", "vsw-1")],
    );
    match call.unwrap().operation {
        Operation::CreateGateway(it) => assert!(it.dual && it.subnets.len() == 1),
        other => panic!("{other:?}"),
    }
}

#[test]
fn unknown_parents_are_400() {
    let mut world = World::new();
    let pairs = [("VpcId", "vpc-none"), ("Bandwidth", "10")];
    let failure = world.call("CreateVpnGateway", &pairs).unwrap_err();
    assert_eq!((failure.status, failure.code.as_str()), (400, "InvalidVpcId.NotFound"));
    let [vpc, _, _] = world.network();
    let pairs = [("VpcId", vpc.as_str()), ("Bandwidth", "10"), ("VSwitchId", "vsw-none")];
    let failure = world.call("CreateVpnGateway", &pairs).unwrap_err();
    assert_eq!((failure.status, failure.code.as_str()), (400, "InvalidVSwitchId.NotFound"));
}

#[test]
fn a_full_quota_has_the_documented_code() {
    let mut world = World::new();
    let [vpc, _, _] = world.network();
    for _ in 0..30 {
        world.ok("CreateVpnGateway", &[("VpcId", &vpc), ("Bandwidth", "10")]);
    }
    let failure = world.call("CreateVpnGateway", &[("VpcId", &vpc), ("Bandwidth", "10")]).unwrap_err();
    assert_eq!(failure, Failure::new(400, "Resource.QuotaFull", "The quota of resource is full"));
}
