"""VPCs, vSwitches, route tables and routes: what stands around a gateway."""

import pytest

from harness.alibaba_world import gone, unique
from harness.errors import Refused
from harness.waiting import until


def test_a_vpc_comes_with_a_router_and_a_table(ali_world, alibaba):
    made = alibaba("CreateVpc", VpcName=unique("vpc"), CidrBlock="192.168.0.0/16", Description="mine")
    vpc = made["VpcId"]
    ali_world.undo.append(lambda: alibaba("DeleteVpc", VpcId=vpc))
    assert made["VRouterId"].startswith("vrt-") and made["RouteTableId"].startswith("vtb-")
    seen = alibaba("DescribeVpcAttribute", VpcId=vpc)
    assert (seen["CidrBlock"], seen["Description"]) == ("192.168.0.0/16", "mine")
    tables = alibaba("DescribeRouteTableList", VpcId=vpc)["RouterTableList"]["RouterTableListType"]
    assert [(table["RouteTableId"], table["RouteTableType"]) for table in tables] == [(made["RouteTableId"], "System")]


def test_the_default_range(ali_world, alibaba):
    vpc = alibaba("CreateVpc")["VpcId"]
    ali_world.undo.append(lambda: alibaba("DeleteVpc", VpcId=vpc))
    assert alibaba("DescribeVpcAttribute", VpcId=vpc)["CidrBlock"] == "172.16.0.0/12"


def test_lists_of_vpcs_and_vswitches(ali_world, alibaba):
    vpc, first, second = ali_world.dual_site()
    listed = alibaba("DescribeVpcs", VpcId=vpc)
    assert listed["TotalCount"] == 1
    assert set(listed["Vpcs"]["Vpc"][0]["VSwitchIds"]["VSwitchId"]) == {first, second}
    zone = ali_world.zones()[1]
    page = alibaba("DescribeVSwitches", VpcId=vpc, ZoneId=zone)
    assert [item["VSwitchId"] for item in page["VSwitches"]["VSwitch"]] == [second]
    assert alibaba("DescribeVSwitches", VpcId=vpc, PageSize=1)["TotalCount"] == 2
    assert alibaba("DescribeVpcs", VpcId="vpc-bp1doesnotexist00000")["Vpcs"]["Vpc"] == []


def test_vswitches_count_their_free_addresses(ali_world, alibaba):
    vpc, vswitch = ali_world.site()
    free = alibaba("DescribeVSwitchAttributes", VSwitchId=vswitch)["AvailableIpAddressCount"]
    assert 248 <= free <= 253
    ali_world.gateway(vpc, vswitch)
    assert alibaba("DescribeVSwitchAttributes", VSwitchId=vswitch)["AvailableIpAddressCount"] < free


@pytest.mark.parametrize(
    "change, codes",
    [
        ({"CidrBlock": "11.0.0.0/24"}, ("InvalidParameter", "InvalidCidrBlock.Malformed")),
        ({"CidrBlock": "10.1.0.0/25"}, ("InvalidCidrBlock.Overlapped",)),
        ({"CidrBlock": "nonsense"}, ("InvalidCidrBlock.Malformed",)),
        ({"ZoneId": "cn-atlantis-a"}, ("InvalidZoneId.NotFound",)),
        ({"VpcId": "vpc-bp1doesnotexist00000"}, ("InvalidVpcId.NotFound", "Forbidden.VpcNotFound")),
    ],
)
def test_vswitch_refusals(ali_world, alibaba, change, codes):
    vpc, _ = ali_world.site()
    params = {"VpcId": vpc, "CidrBlock": "10.9.0.0/24", "ZoneId": ali_world.zones()[0], **change}
    with Refused(*codes):
        alibaba("CreateVSwitch", **params)


def test_a_small_vswitch_runs_out_of_addresses(ali_world, alibaba):
    vpc = ali_world.vpc()
    small = ali_world.vswitch(vpc, "10.5.0.0/29")
    free = alibaba("DescribeVSwitchAttributes", VSwitchId=small)["AvailableIpAddressCount"]
    for _ in range(free):
        ali_world.gateway(vpc, small)
    with Refused("OperationFailed.IpNotEnough", "InvalidVSwitchId.FirstVswitchIpNotEnough", status=400):
        alibaba("CreateVpnGateway", VpcId=vpc, VSwitchId=small, Bandwidth=10, InstanceChargeType="POSTPAY")


def test_routes_to_a_gateway(ali_world, alibaba):
    vpc, vswitch = ali_world.site()
    gateway = ali_world.gateway(vpc, vswitch)
    table = alibaba("DescribeRouteTableList", VpcId=vpc)["RouterTableList"]["RouterTableListType"][0]["RouteTableId"]
    destination = "192.168.77.0/24"
    made = alibaba(
        "CreateRouteEntry", RouteTableId=table, DestinationCidrBlock=destination, NextHopType="VpnGateway",
        NextHopId=gateway,
    )

    def custom():
        entries = alibaba("DescribeRouteEntryList", RouteTableId=table, RouteEntryType="Custom")
        return entries["RouteEntrys"]["RouteEntry"]

    entry = until(lambda: [row for row in custom() if row["Status"] == "Available"], what="the route")[0]
    assert entry["DestinationCidrBlock"] == destination
    hop = entry["NextHops"]["NextHop"][0]
    assert (hop["NextHopType"], hop["NextHopId"]) == ("VpnGateway", gateway)
    if made.get("RouteEntryId"):
        assert entry["RouteEntryId"] == made["RouteEntryId"]
    with Refused("InvalidCIDRBlock.Duplicate", "InvalidRouteEntry.Duplicate", status=400):
        alibaba(
            "CreateRouteEntry", RouteTableId=table, DestinationCidrBlock=destination, NextHopType="VpnGateway",
            NextHopId=gateway,
        )
    alibaba("DeleteRouteEntry", RouteTableId=table, DestinationCidrBlock=destination, NextHopId=gateway)
    until(lambda: not custom(), what="end of the route")
    with Refused("InvalidRouteEntry.NotFound", status=400):
        alibaba("DeleteRouteEntry", RouteTableId=table, DestinationCidrBlock=destination, NextHopId=gateway)


def test_system_routes_follow_the_vswitches(ali_world, alibaba):
    vpc, _ = ali_world.site()
    table = alibaba("DescribeRouteTableList", VpcId=vpc)["RouterTableList"]["RouterTableListType"][0]["RouteTableId"]
    entries = alibaba("DescribeRouteEntryList", RouteTableId=table)["RouteEntrys"]["RouteEntry"]
    assert "10.1.0.0/24" in {row["DestinationCidrBlock"] for row in entries if row["Type"] == "System"}


def test_unknown_networks(alibaba):
    with Refused("InvalidVpcId.NotFound", "InvalidVpcID.NotFound", status=404):
        alibaba("DescribeVpcAttribute", VpcId="vpc-bp1doesnotexist00000")
    with Refused("InvalidVpcId.NotFound", "InvalidVpcID.NotFound", "Forbidden.VpcNotFound"):
        alibaba("DeleteVpc", VpcId="vpc-bp1doesnotexist00000")
    assert not alibaba("DescribeVSwitchAttributes", VSwitchId="vsw-bp1doesnotexist00000").get("VSwitchId")


def test_regions_and_zones(alibaba):
    regions = {row["RegionId"]: row for row in alibaba("DescribeRegions")["Regions"]["Region"]}
    assert {"cn-hangzhou", "cn-beijing", "cn-shanghai", "ap-southeast-1", "eu-central-1"} <= set(regions)
    zones = alibaba("DescribeZones", RegionId="cn-hangzhou")["Zones"]["Zone"]
    assert all(zone["ZoneId"].startswith("cn-hangzhou-") for zone in zones) and len(zones) >= 2
    with Refused("InvalidRegionId.NotFound", status=404):
        alibaba("DescribeZones", RegionId="cn-atlantis")


def test_deleting_frees_what_was_taken(ali_world, alibaba):
    vpc, vswitch = ali_world.site()
    gateway = ali_world.gateway(vpc, vswitch)
    ali_world.delete_gateway(gateway)
    alibaba("DeleteVSwitch", VSwitchId=vswitch)
    until(lambda: not alibaba("DescribeVSwitchAttributes", VSwitchId=vswitch).get("VSwitchId"), what="end of vSwitch")
    alibaba("DeleteVpc", VpcId=vpc)
    until(lambda: gone(lambda: alibaba("DescribeVpcAttribute", VpcId=vpc)), what="end of VPC")


def test_networks_by_their_owner(ali_world, alibaba):
    vpc, vswitch = ali_world.site()
    owner = alibaba("DescribeVpcAttribute", VpcId=vpc)["OwnerId"]
    for wanted, total in ((owner, 1), (owner + 1, 0)):
        assert alibaba("DescribeVpcs", VpcId=vpc, VpcOwnerId=wanted)["TotalCount"] == total
        assert alibaba("DescribeVSwitches", VSwitchId=vswitch, VSwitchOwnerId=wanted)["TotalCount"] == total


@pytest.mark.parametrize(
    "extra, code",
    [
        ({"Ipv6CidrBlock": "2001:db8::/56"}, "MissingParam.EnableIpv6"),
        ({"Ipv6Isp": "BGP"}, "UnsupportedFeature.Ipv6Isp"),
        ({"Ipv4CidrMask": 16}, "IllegalParam.IpamPool"),
    ],
)
def test_parameters_of_vpcs_that_need_more(alibaba, extra, code):
    with Refused(code, status=400):
        alibaba("CreateVpc", CidrBlock="10.0.0.0/8", **extra)


def test_no_vswitch_has_ipv6(ali_world, alibaba):
    vpc = ali_world.vpc()
    with Refused("OperationFailed.VpcIpv6Disabled", status=400):
        alibaba("CreateVSwitch", VpcId=vpc, ZoneId=ali_world.zones()[0], CidrBlock="10.9.0.0/24", Ipv6CidrBlock=8)


def test_names_and_descriptions_change(ali_world, alibaba):
    vpc, vswitch = ali_world.site()
    for name, description in (("renamed", "some"), ("renamed-again", "")):
        alibaba("ModifyVpcAttribute", VpcId=vpc, VpcName=name, Description=description)
        seen = alibaba("DescribeVpcAttribute", VpcId=vpc)
        assert (seen["VpcName"], seen["Description"]) == (name, description)
        alibaba("ModifyVSwitchAttribute", VSwitchId=vswitch, VSwitchName=name, Description=description)
        seen = alibaba("DescribeVSwitchAttributes", VSwitchId=vswitch)
        assert (seen["VSwitchName"], seen["Description"]) == (name, description)
    with Refused("InvalidVSwitchName.Malformed"):
        alibaba("ModifyVSwitchAttribute", VSwitchId=vswitch, VSwitchName="http://x")
    with Refused("InvalidVpcDiscription.Malformed"):
        alibaba("ModifyVpcAttribute", VpcId=vpc, Description="http://x")
    assert alibaba("DescribeVpcAttribute", VpcId=vpc)["VpcName"] == "renamed-again"
