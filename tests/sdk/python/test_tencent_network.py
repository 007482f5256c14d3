"""VPCs, subnets, route tables and tags: what stands around a gateway."""

import hashlib

import pytest

from harness import tencent_sdk
from harness.errors import Refused
from harness.tencent_world import World as TencentWorld


def tables(api, vpc: str) -> list[dict]:
    """The VPC's main table, asked for as Terraform does it right after CreateVpc."""
    filters = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "association.main", "Values": ["true"]}]
    return api("DescribeRouteTables", Filters=filters, Offset="0", Limit="100")["RouteTableSet"]


def test_a_vpc_comes_with_its_main_table(ten_world, tencent):
    made = tencent(
        "CreateVpc", VpcName="mine", CidrBlock="10.0.0.0/16", EnableMulticast="false",
        Tags=[{"Key": "a", "Value": "b"}],
    )["Vpc"]
    ten_world.undo.append(lambda: tencent("DeleteVpc", VpcId=made["VpcId"]))
    assert (made["VpcName"], made["CidrBlock"], made["EnableMulticast"]) == ("mine", "10.0.0.0/16", False)
    assert [table["Main"] for table in tables(tencent, made["VpcId"])] == [True]
    seen = tencent("DescribeVpcs", VpcIds=[made["VpcId"]])["VpcSet"][0]
    assert seen["TagSet"] == [{"Key": "a", "Value": "b"}]


@pytest.mark.parametrize("params", [{"Offset": "0", "Limit": "100"}, {}])
def test_paging_by_texts(ten_world, tencent, params):
    vpc = ten_world.vpc()
    page = tencent("DescribeVpcs", Filters=[{"Name": "vpc-id", "Values": [vpc]}], **params)
    assert page["TotalCount"] == 1


def test_subnets_page_by_token(ten_world, tencent):
    vpc = ten_world.vpc()
    made = [ten_world.subnet(vpc, f"10.0.{n}.0/24") for n in range(3)]
    mine = [{"Name": "vpc-id", "Values": [vpc]}]
    seen, token, pages = [], None, 0
    while token != "":
        page = tencent("DescribeSubnets", Filters=mine, MaxResults=2, NextToken=token)
        seen += [subnet["SubnetId"] for subnet in page["SubnetSet"]]
        token, pages = page["NextToken"], pages + 1
        assert page["TotalCount"] == 3
    assert (seen, pages) == (made, 2)
    with Refused("InvalidParameterValue.Malformed"):
        tencent("DescribeSubnets", NextToken="elsewhere")
    with Refused("InvalidParameter.Coexist"):
        tencent("DescribeSubnets", MaxResults=2, Offset="0")


@pytest.mark.parametrize("cidr", ["8.0.0.0/16", "10.0.0.0/8", "10.0.0.0/29", "192.168.0.0/15", "nonsense"])
def test_ranges_that_no_vpc_has(tencent, cidr):
    with Refused("InvalidParameterValue", "InvalidParameterValue.Malformed", "InvalidParameterValue.Range"):
        tencent("CreateVpc", VpcName="x", CidrBlock=cidr)


def test_subnets(ten_world, tencent):
    vpc = ten_world.vpc()
    subnet = ten_world.subnet(vpc)
    seen = tencent("DescribeSubnets", SubnetIds=[subnet])["SubnetSet"][0]
    assert (seen["VpcId"], seen["CidrBlock"]) == (vpc, "10.0.1.0/24")
    assert 248 <= seen["AvailableIpAddressCount"] <= 253
    zone = ten_world.zones()[0]
    with Refused("InvalidParameterValue.SubnetRange"):
        tencent("CreateSubnet", VpcId=vpc, SubnetName="x", CidrBlock="192.168.1.0/24", Zone=zone)
    with Refused("InvalidParameterValue.SubnetConflict", "InvalidParameterValue.SubnetOverlap"):
        tencent("CreateSubnet", VpcId=vpc, SubnetName="x", CidrBlock="10.0.1.128/25", Zone=zone)
    with Refused("InvalidParameterValue.TooLong"):
        tencent("CreateSubnet", VpcId=vpc, SubnetName="x" * 61, CidrBlock="10.0.9.0/24", Zone=zone)


def test_routes_to_a_gateway(ten_world, tencent):
    vpc = ten_world.site()
    gateway = ten_world.gateway(vpc)
    table = tables(tencent, vpc)[0]["RouteTableId"]
    route = {
        "DestinationCidrBlock": "192.168.77.0/24", "GatewayType": "VPN", "GatewayId": gateway,
        "RouteDescription": "to the branch",
    }
    answer = tencent("CreateRoutes", RouteTableId=table, Routes=[route])
    made = [row for row in answer["RouteTableSet"][0]["RouteSet"] if row["DestinationCidrBlock"] == "192.168.77.0/24"]
    assert len(made) == 1 and isinstance(made[0]["RouteId"], int) and made[0]["RouteItemId"].startswith("rti-")
    assert (made[0]["GatewayType"], made[0]["GatewayId"], made[0]["Enabled"]) == ("VPN", gateway, True)
    with Refused("InvalidParameterValue.Duplicate"):
        tencent("CreateRoutes", RouteTableId=table, Routes=[route])
    with Refused("InvalidParameterValue.VpcCidrConflict", "InvalidParameterValue.SubnetOverlapRoute"):
        tencent("CreateRoutes", RouteTableId=table, Routes=[{**route, "DestinationCidrBlock": "10.0.1.0/24"}])
    gone = tencent("DeleteRoutes", RouteTableId=table, Routes=[{"RouteId": made[0]["RouteId"]}])
    assert [row["RouteId"] for row in gone["RouteSet"]] == [made[0]["RouteId"]]
    left = tables(tencent, vpc)[0]["RouteSet"]
    assert "192.168.77.0/24" not in {row["DestinationCidrBlock"] for row in left}


def test_tags_as_terraform_writes_them(ten_world, tencent):
    gateway = ten_world.gateway(ten_world.site())
    name = f"qcs::vpc:ap-guangzhou:uin/:vpngw/{gateway}"
    tencent(
        "ModifyResourceTags", service="tag", Resource=name,
        ReplaceTags=[{"TagKey": "a", "TagValue": "1"}, {"TagKey": "b", "TagValue": "2"}],
    )
    ask = {
        "ServiceType": "vpc", "ResourcePrefix": "vpngw", "ResourceIds": [gateway], "ResourceRegion": "ap-guangzhou",
        "Offset": 0, "Limit": 20,
    }
    answer = tencent("DescribeResourceTagsByResourceIds", service="tag", **ask)
    assert answer["TotalCount"] == 2
    rows = {row["TagKey"]: row for row in answer["Tags"]}
    assert {key: row["TagValue"] for key, row in rows.items()} == {"a": "1", "b": "2"}
    assert rows["a"]["ResourceId"] == gateway
    assert rows["a"]["TagKeyMd5"] == hashlib.md5(b"a").hexdigest()
    tencent(
        "ModifyResourceTags", service="tag", Resource=name, ReplaceTags=[{"TagKey": "a", "TagValue": "3"}],
        DeleteTags=[{"TagKey": "b"}],
    )
    assert ten_world.read_gateway(gateway)["TagSet"] == [{"Key": "a", "Value": "3"}]


def test_tag_and_untag(ten_world, tencent):
    customer = ten_world.customer_gateway()
    name = f"qcs::vpc:ap-guangzhou:uin/:cgw/{customer}"
    answer = tencent("TagResources", service="tag", ResourceList=[name], Tags=[{"TagKey": "a", "TagValue": "1"}])
    assert answer["FailedResources"] == []
    listed = tencent("GetResources", service="tag", ResourceList=[name])["ResourceTagMappingList"]
    assert [(tag["TagKey"], tag["TagValue"]) for tag in listed[0]["Tags"]] == [("a", "1")]
    tencent("UnTagResources", service="tag", ResourceList=[name], TagKeys=["a"])
    seen = tencent("DescribeCustomerGateways", CustomerGatewayIds=[customer])["CustomerGatewaySet"][0]
    assert seen.get("TagSet") == []


def test_a_vpc_goes_right_after_its_subnet(tencent):
    """Terraform's provider waits for neither: what is itself on its way out holds nothing back."""
    zone = tencent("DescribeZones", service="cvm")["ZoneSet"][0]["Zone"]
    for _ in range(10):
        vpc = tencent("CreateVpc", VpcName="brief", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        made = tencent("CreateSubnet", VpcId=vpc, SubnetName="brief", CidrBlock="10.0.1.0/24", Zone=zone)["Subnet"]
        tencent("DeleteSubnet", SubnetId=made["SubnetId"])
        tencent("DeleteVpc", VpcId=vpc)


def test_tags_of_resources_in_two_regions(server, ten_world, tencent):
    world = TencentWorld(tencent_sdk.Sdk(server, region="ap-shanghai"))
    here, there = ten_world.vpc(), world.vpc()
    names = [f"qcs::vpc:{region}:uin/:vpc/{vpc}" for region, vpc in (("ap-guangzhou", here), ("ap-shanghai", there))]
    tags = [{"TagKey": "team", "TagValue": "net"}]
    assert tencent("TagResources", service="tag", ResourceList=names, Tags=tags)["FailedResources"] == []
    for api, vpc in ((tencent, here), (world.api, there)):
        assert api("DescribeVpcs", VpcIds=[vpc])["VpcSet"][0]["TagSet"] == [{"Key": "team", "Value": "net"}]
    astray = [names[0].replace("ap-guangzhou", "ap-shanghai")]
    with Refused("InvalidParameterValue.ResourceDescriptionError"):
        tencent("TagResources", service="tag", ResourceList=astray, Tags=tags)
    world.clean()
