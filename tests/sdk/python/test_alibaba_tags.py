"""The tag calls: spellings, bounds, and the documented refusals."""

import pytest

from harness.errors import Refused


def rows(api, **params) -> dict[tuple[str, str], str]:
    """(resource, key) -> value of a whole list."""
    found, token = {}, ""
    while True:
        more = {"NextToken": token} if token else {}
        answer = api("ListTagResources", **params, **more)
        for row in answer["TagResources"]["TagResource"]:
            found[(row["ResourceId"], row["TagKey"])] = row["TagValue"]
        token = answer.get("NextToken") or ""
        if not token:
            return found


@pytest.mark.parametrize("spelling", ["CUSTOMERGATEWAY", "CustomerGateway", "customergateway"])
def test_resource_types_in_any_case(ali_world, alibaba, spelling):
    customer = ali_world.customer_gateway()
    alibaba("TagResources", ResourceType=spelling, ResourceId=[customer], Tag=[{"Key": "a", "Value": "1"}])
    assert rows(alibaba, ResourceType=spelling, ResourceId=[customer]) == {(customer, "a"): "1"}


def test_a_tag_is_replaced(ali_world, alibaba):
    customer = ali_world.customer_gateway()
    for value in ("1", "2"):
        alibaba("TagResources", ResourceType="CUSTOMERGATEWAY", ResourceId=[customer], Tag=[{"Key": "a", "Value": value}])
    assert rows(alibaba, ResourceType="CUSTOMERGATEWAY", ResourceId=[customer]) == {(customer, "a"): "2"}


def test_vpcs_and_vswitches_too(ali_world, alibaba):
    vpc, vswitch = ali_world.site()
    for kind, resource in (("VPC", vpc), ("VSWITCH", vswitch)):
        alibaba("TagResources", ResourceType=kind, ResourceId=[resource], Tag=[{"Key": "a", "Value": "1"}])
        assert rows(alibaba, ResourceType=kind, ResourceId=[resource]) == {(resource, "a"): "1"}


def test_filter_by_tag_and_pages(ali_world, alibaba):
    made = [ali_world.customer_gateway(Tags=[{"Key": "paged", "Value": "yes"}]) for _ in range(7)]
    params = {"ResourceType": "CUSTOMERGATEWAY", "Tag": [{"Key": "paged", "Value": "yes"}]}
    first = alibaba("ListTagResources", MaxResults=3, **params)
    assert len(first["TagResources"]["TagResource"]) == 3 and first["NextToken"]
    assert rows(alibaba, MaxResults=3, **params) == {(customer, "paged"): "yes" for customer in made}


@pytest.mark.parametrize(
    "change, codes",
    [
        ({"ResourceType": "SPACESHIP"}, ("InvalidInstanceType.NotFound",)),
        ({"ResourceId": ["cgw-bp1doesnotexist00000"]}, ("InvalidInstanceIds.NotFound",)),
        ({"Tag": [{"Key": "aliyun-a", "Value": "1"}]}, ("InvalidTagKey", "Forbidden.TagKeys")),
        ({"Tag": [{"Key": "http://a", "Value": "1"}]}, ("InvalidTagKey",)),
        ({"Tag": [{"Key": "a" * 129, "Value": "1"}]}, ("InvalidTagKey",)),
        ({"Tag": [{"Key": "a", "Value": "v" * 129}]}, ("InvalidTagValue",)),
        ({"Tag": [{"Key": f"k{n}", "Value": "1"} for n in range(21)]}, ("SizeLimitExceeded.TagNum",)),
        ({"ResourceId": [f"cgw-bp1doesnotexist{n:05}" for n in range(51)]}, ("SizeLimitExceeded.ResourceId",)),
    ],
)
def test_refusals(ali_world, alibaba, change, codes):
    customer = ali_world.customer_gateway()
    params = {"ResourceType": "CUSTOMERGATEWAY", "ResourceId": [customer], "Tag": [{"Key": "a", "Value": "1"}]}
    with Refused(*codes, status=400):
        alibaba("TagResources", **{**params, **change})
    assert rows(alibaba, ResourceType="CUSTOMERGATEWAY", ResourceId=[customer]) == {}


def test_twenty_tags_a_resource(ali_world, alibaba):
    customer = ali_world.customer_gateway(Tags=[{"Key": f"k{n}", "Value": "1"} for n in range(20)])
    with Refused("QuotaExceeded.TagNum", status=400):
        alibaba("TagResources", ResourceType="CUSTOMERGATEWAY", ResourceId=[customer], Tag=[{"Key": "more", "Value": "1"}])


def test_a_list_needs_resources_or_tags(alibaba):
    with Refused("BothEmpty.TagsAndResources"):
        alibaba("ListTagResources", ResourceType="VPNGATEWAY")
