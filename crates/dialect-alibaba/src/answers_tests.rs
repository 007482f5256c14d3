//! Every answer against the catalogue: no member that the API has not, none of another type, and none left out
//! but those named here.

use serde_json::Value;

use crate::testing::World;

const CATALOG: &str = include_str!("../../../specs/alibaba/catalog.json");

/// Members that are left out when there is nothing to say.
const OPTIONAL: &[&str] = &[
    "Asn",
    "AuthKey",
    "ReservationData",
    "NextHopRelatedInfo",
    // Of tunnels, and of connections without BGP.
    "TunnelBgpConfig",
    "VpnBgpConfig",
    "IkeConfig",
    "IpsecConfig",
];

/// What is wrong with a value, as lines.
fn compare(shown: &Value, wanted: &Value, path: &str, wrong: &mut Vec<String>) {
    match wanted["type"].as_str().unwrap_or_default() {
        "string" if !shown.is_string() => wrong.push(format!("{path} is no string: {shown}")),
        "integer" if !shown.is_i64() && !shown.is_u64() => {
            wrong.push(format!("{path} is no number: {shown}"))
        }
        "boolean" if !shown.is_boolean() => wrong.push(format!("{path} is no boolean: {shown}")),
        "object" => members(shown, &wanted["fields"], path, wrong),
        "array" => match shown.as_array() {
            Some(items) => items.iter().for_each(|item| compare(item, &wanted["items"], path, wrong)),
            None => wrong.push(format!("{path} is no list: {shown}")),
        },
        _ => {}
    }
}

fn members(shown: &Value, fields: &Value, path: &str, wrong: &mut Vec<String>) {
    let Some(object) = shown.as_object() else {
        wrong.push(format!("{path} is no object: {shown}"));
        return;
    };
    let fields = fields.as_array().cloned().unwrap_or_default();
    let field = |name: &str| fields.iter().find(|field| field["name"] == name);
    for (name, value) in object {
        let inner = format!("{path}.{name}");
        match field(name) {
            Some(wanted) => compare(value, wanted, &inner, wrong),
            None => wrong.push(format!("{inner} is not in the catalogue")),
        }
    }
    // Groups of options are there as a whole or not at all.
    let is_group = OPTIONAL.iter().any(|name| path.ends_with(&format!(".{name}")));
    for wanted in fields.iter().filter(|_| !is_group) {
        let name = wanted["name"].as_str().unwrap_or_default();
        if !object.contains_key(name) && !OPTIONAL.contains(&name) {
            wrong.push(format!("{path}.{name} is left out"));
        }
    }
}

fn check(world: &mut World, action: &str, pairs: &[(&str, &str)]) {
    let catalog: Value = serde_json::from_str(CATALOG).unwrap();
    let groups = ["vpn_actions", "around_actions"];
    let entry = groups.iter().find_map(|group| catalog[*group].get(action)).unwrap();
    let mut wrong = Vec::new();
    members(&world.ok(action, pairs), &entry["response"], action, &mut wrong);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn networks() {
    let mut world = World::new();
    let (table, gateway) = world.table_with_gateway();
    let vpc = world.ok("DescribeVpcs", &[])["Vpcs"]["Vpc"][0]["VpcId"].as_str().unwrap().to_owned();
    check(&mut world, "CreateVpc", &[]);
    check(&mut world, "DescribeVpcs", &[]);
    check(&mut world, "DescribeVpcAttribute", &[("VpcId", &vpc)]);
    let pairs = [("VpcId", vpc.as_str()), ("ZoneId", "cn-hangzhou-h"), ("CidrBlock", "10.9.0.0/24")];
    check(&mut world, "CreateVSwitch", &pairs);
    check(&mut world, "DescribeVSwitches", &[]);
    let switches = world.ok("DescribeVSwitches", &[]);
    let switch = switches["VSwitches"]["VSwitch"][2]["VSwitchId"].as_str().unwrap();
    check(&mut world, "DescribeVSwitchAttributes", &[("VSwitchId", switch)]);
    check(&mut world, "DeleteVSwitch", &[("VSwitchId", switch)]);
    check(&mut world, "DescribeRouteTableList", &[]);
    let route = [
        ("RouteTableId", table.as_str()),
        ("DestinationCidrBlock", "192.168.0.0/16"),
        ("NextHopType", "VpnGateway"),
        ("NextHopId", gateway.as_str()),
    ];
    check(&mut world, "CreateRouteEntry", &route);
    check(&mut world, "DescribeRouteEntryList", &[("RouteTableId", &table)]);
    check(&mut world, "DeleteRouteEntry", &route);
    check(&mut world, "DescribeRegions", &[]);
    check(&mut world, "DescribeZones", &[]);
}

#[test]
fn gateways() {
    let mut world = World::new();
    let [vpc, _, _] = world.network();
    check(&mut world, "CreateVpnGateway", &[("VpcId", &vpc), ("Bandwidth", "10")]);
    let id = world.dual_gateway();
    check(&mut world, "DescribeVpnGateways", &[]);
    check(&mut world, "DescribeVpnGateway", &[("VpnGatewayId", &id)]);
    check(&mut world, "DescribeVpnGatewayAvailableZones", &[("Spec", "5M")]);
    check(&mut world, "ModifyVpnGatewayAttribute", &[("VpnGatewayId", &id), ("Name", "other")]);
    check(&mut world, "UpdateEnhancedVpnGateway", &[("VpnGatewayId", &id), ("Name", "another")]);
    let group = [("ResourceType", "VpnGateway"), ("InstanceId", id.as_str()), ("NewResourceGroupId", "rg-2")];
    check(&mut world, "MoveVpnResourceGroup", &group);
    let tags = [("ResourceType", "VPNGATEWAY"), ("ResourceId.1", id.as_str()), ("Tag.1.Key", "k")];
    check(&mut world, "TagResources", &tags);
    check(&mut world, "ListTagResources", &tags);
    check(&mut world, "UnTagResources", &tags);
    check(&mut world, "DeleteEnhancedVpnGateway", &[("VpnGatewayId", &id)]);
}

#[test]
fn connections_and_customer_gateways() {
    let mut world = World::new();
    let id = world.connection();
    let peer = [("IpAddress", "203.0.113.9"), ("Asn", "65001"), ("AuthKey", "key")];
    check(&mut world, "CreateCustomerGateway", &peer);
    check(&mut world, "DescribeCustomerGateways", &[]);
    let shown = world.ok("DescribeVpnConnection", &[("VpnConnectionId", &id)]);
    let peer = shown["CustomerGatewayId"].as_str().unwrap();
    check(&mut world, "DescribeCustomerGateway", &[("CustomerGatewayId", peer)]);
    check(&mut world, "ModifyCustomerGatewayAttribute", &[("CustomerGatewayId", peer), ("Name", "a")]);
    let gateway = world.dual_gateway();
    let pairs = [
        ("VpnGatewayId", gateway.as_str()),
        ("LocalSubnet", "0.0.0.0/0"),
        ("RemoteSubnet", "0.0.0.0/0"),
        ("EnableTunnelsBgp", "true"),
        ("TunnelOptionsSpecification.1.CustomerGatewayId", peer),
        ("TunnelOptionsSpecification.1.TunnelBgpConfig.TunnelCidr", "169.254.10.0/30"),
        ("TunnelOptionsSpecification.2.CustomerGatewayId", peer),
        ("TunnelOptionsSpecification.2.TunnelBgpConfig.TunnelCidr", "169.254.11.0/30"),
    ];
    check(&mut world, "CreateVpnConnection", &pairs);
    check(&mut world, "DescribeVpnConnections", &[]);
    let page = world.ok("DescribeVpnConnections", &[]);
    for item in page["VpnConnections"]["VpnConnection"].as_array().unwrap() {
        let target = [("VpnConnectionId", item["VpnConnectionId"].as_str().unwrap())];
        check(&mut world, "DescribeVpnConnection", &target);
        check(&mut world, "DownloadVpnConnectionConfig", &target);
    }
    check(&mut world, "DeleteVpnConnection", &[("VpnConnectionId", &id)]);
}
