"""Gateways: both editions of the document, orders, tokens, names, lists, enhanced and dual-tunnel rules."""

import uuid

import pytest

from harness.alibaba_world import unique
from harness.errors import Refused
from harness.waiting import until

POSTPAY = {"InstanceChargeType": "POSTPAY"}


@pytest.fixture
def site(ali_world):
    """A VPC and a vSwitch."""
    return ali_world.site()


def create(api, world, site, **more):
    """Creates a gateway that the world deletes; gives the answer."""
    params = {"VpcId": site[0], "VSwitchId": site[1], "Bandwidth": 10, **POSTPAY, **more}
    made = api("CreateVpnGateway", **{name: value for name, value in params.items() if value is not None})
    world.undo.append(lambda: world.delete_gateway(made["VpnGatewayId"]))
    return made


@pytest.mark.parametrize("bandwidth", [5, 10, 20, 50, 100, 200, 500, 1000])
def test_every_bandwidth_of_both_editions(ali_world, alibaba, site, bandwidth):
    gateway = create(alibaba, ali_world, site, Bandwidth=bandwidth)["VpnGatewayId"]
    assert ali_world.wait_gateway(gateway)["Spec"] == f"{bandwidth}M"


@pytest.mark.parametrize("bandwidth", [7, 0, 1001])
def test_bandwidths_that_are_not_sold(alibaba, site, bandwidth):
    with Refused("InvalidSpec.NotFound", status=400, says="The specified Spec does not exist in our records."):
        alibaba("CreateVpnGateway", VpcId=site[0], VSwitchId=site[1], Bandwidth=bandwidth, **POSTPAY)


def test_the_old_edition_needs_neither_vswitch_nor_charge_type(ali_world, alibaba, site):
    made = create(alibaba, ali_world, site, VSwitchId=None, InstanceChargeType=None, Bandwidth=5)
    assert ali_world.wait_gateway(made["VpnGatewayId"])["VSwitchId"] == site[1]


def test_the_name_defaults_to_the_id(ali_world, alibaba, site):
    made = create(alibaba, ali_world, site)
    assert made["Name"] == made["VpnGatewayId"]


@pytest.mark.parametrize("name", ["MYVPN", "ab", "a" * 100, "A1_-.x"])
def test_names_that_are_allowed(ali_world, alibaba, site, name):
    assert create(alibaba, ali_world, site, Name=name)["Name"] == name


def test_chinese_names_of_the_older_edition(ali_world, alibaba, site):
    assert create(alibaba, ali_world, site, Name="北京网关")["Name"] == "北京网关"


@pytest.mark.parametrize("name", ["a", "1abc", "http://x", "https://x", "a" * 129, "_ab"])
def test_names_that_are_not(alibaba, site, name):
    with Refused("InvalidName", status=400):
        alibaba("CreateVpnGateway", VpcId=site[0], VSwitchId=site[1], Bandwidth=5, Name=name, **POSTPAY)


@pytest.mark.parametrize(
    "change, code",
    [
        ({"VpcId": "vpc-bp1doesnotexist00000"}, "InvalidVpcId.NotFound"),
        ({"VSwitchId": "vsw-bp1doesnotexist00000"}, "InvalidVSwitchId.NotFound"),
        ({"EnableIpsec": False, "EnableSsl": False}, "InvalidVpnEnable"),
        ({"EnableSsl": True, "NetworkType": "private", "Bandwidth": 200}, "OperationFailed.SslNotSupport"),
        ({"VpnType": "NationalStandard", "NetworkType": "private", "Bandwidth": 200}, "OperationFailed.NetworkTypeNotMatch"),
        ({"NetworkType": "private", "Bandwidth": 200}, "InvalidNetworkType"),
        ({"EnableSsl": False, "SslConnections": 5}, "UnnecessarySslConnection"),
        ({"EnableSsl": True, "SslConnections": 7}, "InvalidSpec.NotFound"),
        ({"InstanceChargeType": "PREPAY", "Period": 10}, "InvalidPeriod"),
    ],
)
def test_documented_refusals(alibaba, site, change, code):
    params = {"VpcId": site[0], "VSwitchId": site[1], "Bandwidth": 10, **POSTPAY, **change}
    with Refused(code, status=400):
        alibaba("CreateVpnGateway", **params)


def test_unknown_region_is_404(alibaba, site):
    with Refused("InvalidRegionId.NotFound", status=404):
        alibaba("CreateVpnGateway", RegionId="cn-atlantis", VpcId=site[0], Bandwidth=10, **POSTPAY)


def test_an_unpaid_order_stays_init(ali_world, alibaba, site):
    made = alibaba(
        "CreateVpnGateway", VpcId=site[0], VSwitchId=site[1], Bandwidth=5, InstanceChargeType="PREPAY", Period=1,
        AutoPay=False,
    )
    gateway = made["VpnGatewayId"]
    assert isinstance(made["OrderId"], int) and made["OrderId"] > 0
    seen = alibaba("DescribeVpnGateway", VpnGatewayId=gateway)
    assert (seen["Status"], seen["InternetIp"]) == ("init", ""), "nothing of it is there"
    # Something else becomes active meanwhile: the order alone holds this one back.
    other = create(alibaba, ali_world, site)["VpnGatewayId"]
    ali_world.wait_gateway(other)
    assert alibaba("DescribeVpnGateway", VpnGatewayId=gateway)["Status"] == "init"


def test_a_paid_prepaid_gateway_is_active_and_is_kept(alibaba, site):
    gateway = alibaba(
        "CreateVpnGateway", VpcId=site[0], VSwitchId=site[1], Bandwidth=5, InstanceChargeType="PREPAY", Period=1,
        AutoPay=True,
    )["VpnGatewayId"]

    def active():
        seen = alibaba("DescribeVpnGateway", VpnGatewayId=gateway)
        return seen if seen["Status"] == "active" else None

    seen = until(active, what="the paid gateway")
    assert seen["ChargeType"].lower() == "prepay"
    days = (seen["EndTime"] - seen["CreateTime"]) / 86_400_000
    assert 27 < days < 33
    with Refused("ForbiddenRelease", status=403):
        alibaba("DeleteVpnGateway", VpnGatewayId=gateway)


@pytest.fixture
def ali_world(alibaba, request):
    """As everywhere, but prepaid gateways can't be deleted, and then neither can what they stand in."""
    from harness.alibaba_world import World

    world = World(alibaba)
    yield world
    try:
        world.clean()
    except AssertionError:
        if "prepaid" not in request.node.name and "unpaid" not in request.node.name:
            raise


def test_the_same_token_gives_the_same_gateway(ali_world, alibaba, site):
    token = uuid.uuid4().hex
    first = create(alibaba, ali_world, site, ClientToken=token, Name="once")
    again = create(alibaba, ali_world, site, ClientToken=token, Name="once")
    assert (again["VpnGatewayId"], again["OrderId"]) == (first["VpnGatewayId"], first["OrderId"])
    assert alibaba("DescribeVpnGateways", VpcId=site[0])["TotalCount"] == 1


def test_the_same_token_with_other_parameters(ali_world, alibaba, site):
    token = uuid.uuid4().hex
    create(alibaba, ali_world, site, ClientToken=token, Name="once")
    with Refused("IdempotentParameterMismatch", status=400):
        create(alibaba, ali_world, site, ClientToken=token, Name="twice")


def test_lists_filters_and_pages(ali_world, alibaba, site):
    gateways = [create(alibaba, ali_world, site, Name=unique("gw"))["VpnGatewayId"] for _ in range(5)]
    for gateway in gateways:
        ali_world.wait_gateway(gateway)
    seen = []
    for number in (1, 2, 3):
        page = alibaba("DescribeVpnGateways", VpcId=site[0], PageNumber=number, PageSize=2)
        assert (page["TotalCount"], page["PageNumber"], page["PageSize"]) == (5, number, 2)
        seen += [item["VpnGatewayId"] for item in page["VpnGateways"]["VpnGateway"]]
    assert sorted(seen) == sorted(gateways)
    beyond = alibaba("DescribeVpnGateways", VpcId=site[0], PageNumber=9, PageSize=2)
    assert (beyond["TotalCount"], beyond["VpnGateways"]["VpnGateway"]) == (5, [])
    assert alibaba("DescribeVpnGateways", VpcId=site[0], Status="active")["TotalCount"] == 5
    assert alibaba("DescribeVpnGateways", VpcId=site[0], Status="deleting")["TotalCount"] == 0
    assert alibaba("DescribeVpnGateways", VpcId=site[0], BusinessStatus="Normal")["TotalCount"] == 5
    assert alibaba("DescribeVpnGateways", VpcId="vpc-bp1doesnotexist00000")["TotalCount"] == 0
    alibaba("TagResources", ResourceType="VpnGateWay", ResourceId=gateways[:2], Tag=[{"Key": "k", "Value": "v"}])
    tagged = alibaba("DescribeVpnGateways", VpcId=site[0], Tag=[{"Key": "k", "Value": "v"}])
    assert {item["VpnGatewayId"] for item in tagged["VpnGateways"]["VpnGateway"]} == set(gateways[:2])
    assert alibaba("DescribeVpnGateways", VpcId=site[0], Tag=[{"Key": "k", "Value": "x"}])["TotalCount"] == 0


def test_modify_name_and_description(ali_world, alibaba, site):
    gateway = create(alibaba, ali_world, site)["VpnGatewayId"]
    ali_world.wait_gateway(gateway)
    alibaba("ModifyVpnGatewayAttribute", VpnGatewayId=gateway, Name="renamed", Description="second edition")
    seen = ali_world.wait_gateway(gateway)
    assert (seen["Name"], seen["Description"]) == ("renamed", "second edition")
    with Refused("InvalidName", status=400):
        alibaba("ModifyVpnGatewayAttribute", VpnGatewayId=gateway, Name="http://x")
    with Refused("InvalidDescription", status=400):
        alibaba("ModifyVpnGatewayAttribute", VpnGatewayId=gateway, Description="https://x")
    with Refused("InvalidVpnGatewayInstanceId.NotFound", status=404):
        alibaba("ModifyVpnGatewayAttribute", VpnGatewayId="vpn-bp1doesnotexist00000", Name="renamed")


def test_unknown_gateways(alibaba):
    nobody = "vpn-bp1doesnotexist00000"
    with Refused("InvalidVpnGatewayInstanceId.NotFound", status=404):
        alibaba("DescribeVpnGateway", VpnGatewayId=nobody)
    with Refused("InvalidVpnGatewayInstanceId.NotFound", status=404):
        alibaba("DeleteVpnGateway", VpnGatewayId=nobody)
    with Refused("InvalidVpnGatewayInstanceId.NotFound", status=400):
        alibaba("DeleteEnhancedVpnGateway", VpnGatewayId=nobody)
    assert alibaba("DescribeVpnGateways", VpnGatewayId=nobody)["TotalCount"] == 0


def test_available_zones(alibaba, ali_world):
    answer = alibaba("DescribeVpnGatewayAvailableZones", Spec="5M", AcceptLanguage="en-US")
    assert {zone["ZoneId"] for zone in answer["AvailableZoneIdList"]} == set(ali_world.zones())
    assert answer["RegionId"] == "cn-hangzhou"


def test_enhanced_gateway_life(ali_world, alibaba):
    vpc, first, second = ali_world.dual_site()
    gateway = ali_world.enhanced(vpc, first, second, Name="enhanced")
    seen = alibaba("DescribeVpnGateway", VpnGatewayId=gateway)
    assert (seen["VSwitchId"], seen["DisasterRecoveryVSwitchId"]) == (first, second)
    assert seen["InternetIp"] and seen["DisasterRecoveryInternetIp"]
    assert seen["InternetIp"] != seen["DisasterRecoveryInternetIp"]
    assert seen["GatewayType"] == "Enhanced.SiteToSite"
    alibaba("UpdateEnhancedVpnGateway", VpnGatewayId=gateway, Name="enhanced-2", Description="updated")
    seen = ali_world.wait_gateway(gateway)
    assert (seen["Name"], seen["Description"]) == ("enhanced-2", "updated")
    ali_world.delete_gateway(gateway, "DeleteEnhancedVpnGateway")
    assert alibaba("DescribeVpnGateways", VpnGatewayId=gateway)["TotalCount"] == 0


@pytest.mark.parametrize("action", ["CreateVpnGateway", "CreateEnhancedVpnGateway"])
def test_dual_gateways_need_two_vswitches_in_two_zones(ali_world, alibaba, action):
    vpc, first, _second = ali_world.dual_site()
    zone = ali_world.zones()[0]
    neighbour = ali_world.vswitch(vpc, "10.3.0.0/24", zone)
    params = {"VpcId": vpc, "VSwitchId": first}
    if action == "CreateVpnGateway":
        params.update(Bandwidth=10, **POSTPAY)
    else:
        params["GatewayType"] = "Enhanced.SiteToSite"
    with Refused("InvalidVSwitchId.VswitchIdShouldDifferent", status=400):
        alibaba(action, DisasterRecoveryVSwitchId=first, **params)
    with Refused("InvalidVSwitchId.ZoneIdShouldDifferent", status=400):
        alibaba(action, DisasterRecoveryVSwitchId=neighbour, **params)
    with Refused("InvalidVSwitchId.NotFound", status=400):
        alibaba(action, DisasterRecoveryVSwitchId="vsw-bp1doesnotexist00000", **params)


def test_a_vswitch_of_another_vpc_is_not_found(ali_world, alibaba, site):
    other = ali_world.vpc("172.16.0.0/12")
    with Refused("InvalidVSwitchId.NotFound", status=400):
        alibaba("CreateVpnGateway", VpcId=other, VSwitchId=site[1], Bandwidth=10, **POSTPAY)


def test_resource_groups(ali_world, alibaba, site):
    gateway = create(alibaba, ali_world, site)["VpnGatewayId"]
    seen = ali_world.wait_gateway(gateway)
    assert seen["ResourceGroupId"].startswith("rg-")
    with Refused("InvalidResourceGroupId", status=400):
        alibaba(
            "MoveVpnResourceGroup", InstanceId=gateway, NewResourceGroupId="rg-doesnotexist", ResourceType="VpnGateWay"
        )
    with Refused("IllegalParam.ResourceType", status=400):
        alibaba(
            "MoveVpnResourceGroup", InstanceId=gateway, NewResourceGroupId=seen["ResourceGroupId"], ResourceType="Car"
        )
    alibaba(
        "MoveVpnResourceGroup", InstanceId=gateway, NewResourceGroupId=seen["ResourceGroupId"], ResourceType="vpngateway"
    )
