"""Customer gateways: parameters, bounds, and the documented refusals."""

import uuid

import pytest

from harness.alibaba_world import peer_ip
from harness.errors import Refused


def test_asn_in_two_segments(ali_world, alibaba):
    customer = ali_world.customer_gateway(Asn="123.456")
    assert alibaba("DescribeCustomerGateway", CustomerGatewayId=customer)["Asn"] == 8061384


@pytest.mark.parametrize("asn", ["1", "4294967295", "65535.65535"])
def test_asn_bounds(ali_world, alibaba, asn):
    customer = ali_world.customer_gateway(Asn=asn)
    assert alibaba("DescribeCustomerGateway", CustomerGatewayId=customer)["Asn"] in (1, 4294967295)


@pytest.mark.parametrize("asn", ["0", "4294967296", "45104", "abc", "1.65536"])
def test_asn_refused(alibaba, asn):
    with Refused("IllegalParam.Asn", status=400, says="The specified Asn is invalid."):
        alibaba("CreateCustomerGateway", IpAddress=peer_ip(), Asn=asn)


@pytest.mark.parametrize(
    "address", ["100.64.0.1", "127.0.0.1", "169.254.1.1", "224.0.0.1", "255.1.1.1", "1.2.3", "x", "256.1.1.1"]
)
def test_addresses_refused(alibaba, address):
    with Refused("InvalidIpAddress.WrongFormat", status=400):
        alibaba("CreateCustomerGateway", IpAddress=address)


def test_an_address_is_registered_once(ali_world, alibaba):
    address = peer_ip()
    ali_world.customer_gateway(address)
    with Refused("InvalidIpAddress.AlreadyExist", status=400, says="Specified IpAddress is already exist."):
        alibaba("CreateCustomerGateway", IpAddress=address)


def test_the_same_address_in_another_region(ali_world, alibaba):
    address = peer_ip()
    ali_world.customer_gateway(address)
    made = alibaba("CreateCustomerGateway", IpAddress=address, RegionId="cn-beijing")
    with Refused("InvalidCustomerGatewayInstanceId.NotFound", status=404):
        alibaba("DescribeCustomerGateway", CustomerGatewayId=made["CustomerGatewayId"])
    alibaba("DeleteCustomerGateway", CustomerGatewayId=made["CustomerGatewayId"], RegionId="cn-beijing")


@pytest.mark.parametrize(
    "change, code",
    [
        ({"Name": "http://x"}, "InvalidName"),
        ({"Name": "a" * 101}, "InvalidName"),
        ({"Description": "https://x"}, "InvalidDescription"),
        ({"Description": "a" * 101}, "InvalidDescription"),
        ({"AuthKey": "key"}, "OperationDenied.MissingAsn"),
        ({"AuthKey": "with space", "Asn": "65530"}, "InvalidAuthkey.Malformed"),
        ({"AuthKey": "why?", "Asn": "65530"}, "InvalidAuthkey.Malformed"),
        ({"AuthKey": "a" * 65, "Asn": "65530"}, "InvalidAuthkey.Malformed"),
        ({"Tags": [{"Key": "aliyun-x", "Value": "v"}]}, "InvalidParameter.TagKey"),
        ({"Tags": [{"Key": "acs:x", "Value": "v"}]}, "InvalidParameter.TagKey"),
        ({"Tags": [{"Key": "a" * 129, "Value": "v"}]}, "InvalidParameter.TagKey"),
        ({"Tags": [{"Key": "k", "Value": "http://v"}]}, "InvalidParameter.TagValue"),
        ({"Tags": [{"Key": "k", "Value": "a" * 129}]}, "InvalidParameter.TagValue"),
        ({"Tags": [{"Key": "k", "Value": "1"}, {"Key": "k", "Value": "2"}]}, "Duplicated.TagKey"),
        ({"Tags": [{"Key": f"k{number}", "Value": "v"} for number in range(21)]}, "SizeLimitExceeded.TagNum"),
    ],
)
def test_documented_refusals(alibaba, change, code):
    with Refused(code, status=400):
        alibaba("CreateCustomerGateway", IpAddress=peer_ip(), **change)


def test_names_have_one_to_a_hundred_characters(ali_world, alibaba):
    for name in ("a", "1" * 100, "分公司"):
        customer = ali_world.customer_gateway(Name=name)
        assert alibaba("DescribeCustomerGateway", CustomerGatewayId=customer)["Name"] == name


def test_twenty_tags_at_creation(ali_world, alibaba):
    tags = [{"Key": f"k{number}", "Value": str(number)} for number in range(20)]
    customer = ali_world.customer_gateway(Tags=tags)
    listed = alibaba("DescribeCustomerGateways", CustomerGatewayId=customer)["CustomerGateways"]["CustomerGateway"]
    assert {row["Key"]: row["Value"] for row in listed[0]["Tags"]["Tag"]} == {
        row["Key"]: row["Value"] for row in tags
    }


def test_tokens(ali_world, alibaba):
    token, address = uuid.uuid4().hex, peer_ip()
    first = ali_world.customer_gateway(address, ClientToken=token)
    again = alibaba("CreateCustomerGateway", IpAddress=address, ClientToken=token)["CustomerGatewayId"]
    assert again == first
    with Refused("IdempotentParameterMismatch", status=400):
        alibaba("CreateCustomerGateway", IpAddress=peer_ip(), ClientToken=token)


def test_modify(ali_world, alibaba):
    customer = ali_world.customer_gateway(Asn="65530")
    alibaba("ModifyCustomerGatewayAttribute", CustomerGatewayId=customer, Name="renamed", Description="moved")
    seen = alibaba("DescribeCustomerGateway", CustomerGatewayId=customer)
    assert (seen["Name"], seen["Description"], seen["Asn"]) == ("renamed", "moved", 65530)
    with Refused("InvalidName", status=400):
        alibaba("ModifyCustomerGatewayAttribute", CustomerGatewayId=customer, Name="http://x")
    with Refused("InvalidCustomerGatewayInstanceId.NotFound", status=404):
        alibaba("ModifyCustomerGatewayAttribute", CustomerGatewayId="cgw-bp1doesnotexist00000", Name="renamed")


def test_pages(ali_world, alibaba):
    made = {ali_world.customer_gateway(Tags=[{"Key": "page", "Value": "1"}]) for _ in range(5)}
    mine = [{"Key": "page", "Value": "1"}]
    seen = []
    for number in (1, 2, 3):
        page = alibaba("DescribeCustomerGateways", PageNumber=number, PageSize=2, Tag=mine)
        assert page["TotalCount"] == 5
        seen += [item["CustomerGatewayId"] for item in page["CustomerGateways"]["CustomerGateway"]]
    assert len(seen) == 5 and set(seen) == made


def test_unknown_customer_gateways(alibaba):
    with Refused("InvalidCustomerGatewayInstanceId.NotFound", status=404):
        alibaba("DescribeCustomerGateway", CustomerGatewayId="cgw-bp1doesnotexist00000")
    with Refused("InvalidCustomerGatewayInstanceId.NotFound", status=404):
        alibaba("DeleteCustomerGateway", CustomerGatewayId="cgw-bp1doesnotexist00000")
