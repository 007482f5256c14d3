//! Requests with `DryRun`: everything is checked, and nothing is made.

use crate::testing::{World, connect, decode};

/// Local and remote.
const RANGES: [&str; 2] = ["10.0.0.0/16", "192.168.0.0/16"];

/// Asks for a check only, and gives the code; nothing may have changed.
fn check(world: &mut World, action: &str, pairs: &[(&str, &str)]) -> String {
    let before = world.view.revision();
    let records = world.view.len();
    let mut all = pairs.to_vec();
    all.push(("DryRun", "true"));
    let code = world.code(action, &all);
    assert_eq!((world.view.revision(), world.view.len()), (before, records), "{action} wrote something");
    code
}

#[test]
fn what_would_be_carried_out_passes() {
    let mut world = World::new();
    let (table, gateway) = world.table_with_gateway();
    let peer = world.customer_gateway("203.0.113.1");
    let [vpc, first, _] = world.network();
    let connection = connect(&gateway, &peer, RANGES);
    let route = [
        ("RouteTableId", table.as_str()),
        ("DestinationCidrBlock", "192.168.0.0/16"),
        ("NextHopType", "VpnGateway"),
        ("NextHopId", gateway.as_str()),
    ];
    let cases: [(&str, &[(&str, &str)]); 8] = [
        ("CreateVpc", &[]),
        ("CreateVpnConnection", &connection),
        ("CreateRouteEntry", &route),
        ("DeleteVSwitch", &[("VSwitchId", &first)]),
        ("DescribeVpcs", &[]),
        ("DescribeVSwitches", &[]),
        ("DescribeVpcAttribute", &[("VpcId", &vpc)]),
        ("DescribeVSwitchAttributes", &[("VSwitchId", &first)]),
    ];
    for (action, pairs) in cases {
        assert_eq!(check(&mut world, action, pairs), "DryRunOperation", "{action}");
    }
    world.ok("CreateRouteEntry", &route);
    assert_eq!(check(&mut world, "DeleteRouteEntry", &route[..2]), "DryRunOperation");
}

#[test]
fn what_would_be_refused_is_refused_in_the_same_words() {
    let mut world = World::new();
    let (table, gateway) = world.table_with_gateway();
    let peer = world.customer_gateway("203.0.113.1");
    let [vpc, ..] = world.network();
    let unknown_gateway = connect("vpn-none", &peer, RANGES);
    let unknown_peer = connect(&gateway, "cgw-none", RANGES);
    let no_route = vec![("RouteTableId", table.as_str()), ("DestinationCidrBlock", "192.168.0.0/16")];
    let cases = [
        ("CreateVpc", vec![("CidrBlock", "x")], "InvalidParameter"),
        ("CreateVpc", vec![("ResourceGroupId", "rg-9")], "InvalidResourceGroupId"),
        ("CreateVpnConnection", unknown_gateway, "InvalidVpnGatewayInstanceId.NotFound"),
        ("CreateVpnConnection", unknown_peer, "InvalidCustomerGatewayInstanceId.NotFound"),
        ("DeleteVpc", vec![("VpcId", vpc.as_str())], "DependencyViolation.VSwitch"),
        ("DeleteVSwitch", vec![("VSwitchId", "vsw-none")], "InvalidVSwitchId.NotFound"),
        ("DeleteRouteEntry", no_route, "InvalidRouteEntry.NotFound"),
        ("DescribeVpcAttribute", vec![("VpcId", "vpc-none")], "InvalidVpcId.NotFound"),
    ];
    for (action, pairs, wanted) in cases {
        assert_eq!(check(&mut world, action, &pairs), wanted, "{action}");
    }
}

#[test]
fn only_actions_that_have_the_parameter_look_at_it() {
    let [zone, region] = [("ZoneId", "cn-hangzhou-h"), ("RegionId", "cn-hangzhou")];
    let switch = [region, zone, ("VpcId", "vpc-1"), ("CidrBlock", "10.0.0.0/24"), ("DryRun", "true")];
    assert!(!decode("CreateVSwitch", &switch).unwrap().dry_run);
    assert!(decode("CreateVpc", &[region, ("DryRun", "True")]).unwrap().dry_run);
    assert!(!decode("CreateVpc", &[region, ("DryRun", "false")]).unwrap().dry_run);
    assert_eq!(decode("CreateVpc", &[region, ("DryRun", "maybe")]).unwrap_err().code, "InvalidDryRun");
}

#[test]
fn a_check_uses_no_client_token_up() {
    let mut world = World::new();
    let token = [("ClientToken", "t")];
    assert_eq!(check(&mut world, "CreateVpc", &token), "DryRunOperation");
    let id = world.made("CreateVpc", &token, "VpcId");
    assert_eq!(check(&mut world, "CreateVpc", &token), "DryRunOperation");
    assert_eq!(world.made("CreateVpc", &token, "VpcId"), id);
}
