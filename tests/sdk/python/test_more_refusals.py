"""Refusals of parameters that each action has of its own, and that no life comes across."""

import pytest

from harness.errors import Refused

NOBODY = "cgw-bp1doesnotexist00000"
BAD_KEY = ([{"Key": "acs:a", "Value": "b"}], "InvalidParameter.TagKey")
BAD_VALUE = ([{"Key": "a", "Value": "v" * 129}], "InvalidParameter.TagValue")
TWICE = ([{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}], "Duplicated.TagKey")
TOO_MANY = ([{"Key": f"k{n}", "Value": ""} for n in range(21)], "SizeLimitExceeded.TagNum")


@pytest.mark.parametrize("name, action", [
    ("Tag", "DescribeVpnGateways"), ("Tag", "DescribeCustomerGateways"), ("Tag", "DescribeVpnConnections"),
])
@pytest.mark.parametrize("tags, code", [BAD_KEY, BAD_VALUE, TWICE, TOO_MANY])
def test_lists_check_the_tags_that_they_are_asked_for(alibaba, name, action, tags, code):
    with Refused(code):
        alibaba(action, **{name: tags})


@pytest.mark.parametrize("tags, code", [BAD_KEY, BAD_VALUE])
def test_connections_check_their_tags(ali_world, alibaba, tags, code):
    gateway, customer = ali_world.gateway(*ali_world.site()), ali_world.customer_gateway()
    with Refused(code):
        alibaba(
            "CreateVpnConnection", VpnGatewayId=gateway, CustomerGatewayId=customer, LocalSubnet="10.0.0.0/8",
            RemoteSubnet="192.168.0.0/24", Tags=tags,
        )


def test_enhanced_gateways_check_their_names(ali_world, alibaba):
    vpc, first, second = ali_world.dual_site()
    with Refused("InvalidName"):
        alibaba(
            "CreateEnhancedVpnGateway", VpcId=vpc, VSwitchId=first, DisasterRecoveryVSwitchId=second,
            GatewayType="Enhanced.SiteToSite", Name="-a",
        )
    gateway = ali_world.enhanced(vpc, first, second)
    with Refused("InvalidName"):
        alibaba("UpdateEnhancedVpnGateway", VpnGatewayId=gateway, Name="-a")


def test_a_key_of_bgp_needs_a_number_and_a_form(ali_world, alibaba):
    plain = ali_world.customer_gateway()
    with Refused("OperationDenied.MissingAsn"):
        alibaba("ModifyCustomerGatewayAttribute", CustomerGatewayId=plain, AuthKey="key")
    with Refused("InvalidAuthkey.Malformed"):
        alibaba("ModifyCustomerGatewayAttribute", CustomerGatewayId=plain, AuthKey="a key")


MALFORMED_IDS = [
    ("DescribeCustomerGateways", {"CustomerGatewayIds": ["x"]}),
    ("DescribeVpnConnections", {"VpnConnectionIds": ["x"]}),
    ("ModifyCustomerGatewayAttribute", {"CustomerGatewayId": "x", "CustomerGatewayName": "n"}),
    ("ModifyVpnGatewayAttribute", {"VpnGatewayId": "x", "VpnGatewayName": "n"}),
    ("ResetVpnGatewayInternetMaxBandwidth", {"VpnGatewayId": "x", "InternetMaxBandwidthOut": 5}),
    ("DeleteVpnConnection", {"VpnGatewayId": "vpngw-00000000", "VpnConnectionId": "x"}),
    ("DownloadCustomerGatewayConfiguration", {
        "VpnGatewayId": "vpngw-00000000", "VpnConnectionId": "x", "InterfaceName": "eth0",
        "CustomerGatewayVendor": {"VendorName": "cisco", "Platform": "ios", "SoftwareVersion": "V15.4"},
    }),
]


@pytest.mark.parametrize("action, params", MALFORMED_IDS, ids=[action for action, _ in MALFORMED_IDS])
def test_ids_have_a_form(tencent, action, params):
    with Refused("InvalidParameterValue.Malformed"):
        tencent(action, **params)


def test_a_vendor_has_all_its_parts(tencent):
    vendor = {"VendorName": "", "Platform": "ios", "SoftwareVersion": "V15.4"}
    with Refused("InvalidParameterValue.Empty"):
        tencent(
            "DownloadCustomerGatewayConfiguration", VpnGatewayId="vpngw-00000000", VpnConnectionId="vpnx-00000000",
            InterfaceName="eth0", CustomerGatewayVendor=vendor,
        )


UNKNOWN_IDS = [
    ("ModifyCustomerGatewayAttribute", {"CustomerGatewayId": "cgw-00000000", "CustomerGatewayName": "n"}),
    ("ResetVpnGatewayInternetMaxBandwidth", {"VpnGatewayId": "vpngw-00000000", "InternetMaxBandwidthOut": 5}),
]


@pytest.mark.parametrize("action, params", UNKNOWN_IDS, ids=[action for action, _ in UNKNOWN_IDS])
def test_what_is_named_exists(tencent, action, params):
    with Refused("ResourceNotFound"):
        tencent(action, **params)


def test_connections_are_found_by_ids_or_by_filters(tencent):
    mine = [{"Name": "vpn-connection-name", "Values": ["n"]}]
    with Refused("InvalidParameter.Coexist"):
        tencent("DescribeVpnConnections", VpnConnectionIds=["vpnx-00000000"], Filters=mine)


def test_a_connection_speaks_bgp_or_does_not(ten_world, tencent):
    gateway, customer = ten_world.gateway(ten_world.site()), ten_world.customer_gateway()
    link = {"TunnelCidr": "169.254.128.0/30", "LocalBgpIp": "169.254.128.1", "RemoteBgpIp": "169.254.128.2"}
    params = {"VpnGatewayId": gateway, "CustomerGatewayId": customer, "VpnConnectionName": "n", "RouteType": "StaticRoute"}
    with Refused("InvalidParameter.Coexist"):
        tencent("CreateVpnConnection", **params, PreShareKey="k", BgpConfig=link)
    with Refused("InvalidParameterValue.Empty"):
        tencent("CreateVpnConnection", **params, PreShareKey="")
    # It has neither rules nor a route to choose by.
    with Refused("MissingParameter"):
        tencent("CreateVpnConnection", **{**params, "RouteType": "STATIC"}, PreShareKey="k")
    with Refused("ResourceNotFound"):
        tencent("CreateVpnConnection", **params, PreShareKey="k", VpcId="vpc-00000000")


def test_transit_connections_are_records(ten_world, tencent):
    gateway = ten_world.gateway("", Type="CCN", InternetMaxBandwidthOut=200)
    # This waits until it is AVAILABLE, as Terraform does.
    seen = ten_world.read_connection(ten_world.connection(gateway, ten_world.customer_gateway()))
    assert (seen["NetStatus"], seen["VpcId"]) == ("UNAVAILABLE", "")


@pytest.mark.parametrize("kind, hop", [("CVM", "10.2.0.99"), ("NAT", "nat-abcdefgh")])
def test_routes_lead_to_what_exists(ten_world, tencent, kind, hop):
    mine = [{"Name": "vpc-id", "Values": [ten_world.vpc()]}]
    table = tencent("DescribeRouteTables", Filters=mine)["RouteTableSet"][0]["RouteTableId"]
    route = {"DestinationCidrBlock": "192.168.0.0/24", "GatewayType": kind, "GatewayId": hop}
    with Refused("ResourceNotFound"):
        tencent("CreateRoutes", RouteTableId=table, Routes=[route])


def test_ids_of_vpcs_have_eight_characters(tencent):
    for vpc, code in (("vpc-x", "InvalidVpcId.Malformed"), ("vpc-00000000", "InvalidVpcId.NotFound")):
        with Refused(code):
            tencent("CreateVpnGateway", VpcId=vpc, VpnGatewayName="n", InternetMaxBandwidthOut=5)


def test_offsets_of_tags_are_whole_pages(tencent):
    params = {"ServiceType": "vpc", "ResourcePrefix": "vpc", "ResourceIds": ["vpc-00000000"], "ResourceRegion": "ap-guangzhou"}
    with Refused("InvalidParameterValue"):
        tencent("DescribeResourceTagsByResourceIds", service="tag", **params, Offset=7, Limit=20)


def test_a_deleted_gateway_takes_its_routes(ali_world, alibaba):
    vpc, vswitch = ali_world.site()
    gateway = ali_world.gateway(vpc, vswitch)
    tables = alibaba("DescribeRouteTableList", VpcId=vpc)["RouterTableList"]["RouterTableListType"]
    table = tables[0]["RouteTableId"]
    alibaba(
        "CreateRouteEntry", RouteTableId=table, DestinationCidrBlock="192.168.0.0/24", NextHopType="VpnGateway",
        NextHopId=gateway,
    )
    ali_world.delete_gateway(gateway)
    left = alibaba("DescribeRouteEntryList", RouteTableId=table)["RouteEntrys"]["RouteEntry"]
    assert [it["DestinationCidrBlock"] for it in left if it["DestinationCidrBlock"] == "192.168.0.0/24"] == []
