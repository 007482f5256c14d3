"""Gateways: types, sizes, charge, names, filters, paging, and the documented refusals."""

import pytest

from harness.errors import Refused
from harness.tencent_world import unique


def make(api, **change):
    """CreateVpnGateway with sound parameters but for the change; None leaves one out."""
    params = {"VpnGatewayName": "gw", "InternetMaxBandwidthOut": 5, **change}
    return api("CreateVpnGateway", **{name: value for name, value in params.items() if value is not None})["VpnGateway"]


@pytest.mark.parametrize("bandwidth", [5, 10, 20, 50, 100, 200, 500, 1000, 3000])
def test_every_bandwidth(ten_world, bandwidth):
    gateway = ten_world.gateway(ten_world.site(), InternetMaxBandwidthOut=bandwidth)
    assert ten_world.read_gateway(gateway)["InternetMaxBandwidthOut"] == bandwidth


@pytest.mark.parametrize("kind", ["IPSEC", "SSL"])
def test_types_in_a_vpc(ten_world, kind):
    gateway = ten_world.gateway(ten_world.site(), Type=kind)
    assert ten_world.read_gateway(gateway)["Type"] == kind


@pytest.mark.parametrize("kind", ["CCN", "SSL_CCN"])
def test_transit_types_have_no_vpc(ten_world, kind):
    gateway = ten_world.gateway("", Type=kind)
    seen = ten_world.read_gateway(gateway)
    assert (seen["Type"], seen["VpcId"], seen["NetworkInstanceId"]) == (kind, "", "")


@pytest.mark.parametrize(
    "change, code",
    [
        ({"VpcId": ""}, "UnsupportedOperation.VpnGwVpcIdMustHave"),
        ({"VpcId": "", "Type": "SSL"}, "UnsupportedOperation.VpnGwVpcIdMustHave"),
        ({"Type": "CCN"}, "UnsupportedOperation.VpnGwVpcIdNotHave"),
        ({"VpcId": "network-1"}, "InvalidVpcId.Malformed"),
        ({"VpcId": "vpc-00000000"}, "InvalidVpcId.NotFound"),
        ({"InternetMaxBandwidthOut": 7}, "InvalidParameterValue"),
        ({"Type": "IPX"}, "InvalidParameterValue"),
        ({"InstanceChargeType": "FREE"}, "InvalidParameterValue"),
        ({"VpnGatewayName": "x" * 61}, "InvalidParameterValue.TooLong"),
        ({"VpnGatewayName": "网" * 21}, "InvalidParameterValue.TooLong"),
        ({"VpnGatewayName": None}, "MissingParameter"),
        ({"InternetMaxBandwidthOut": None}, "MissingParameter"),
        ({"VpcId": None}, "MissingParameter"),
        ({"Type": "SSL", "MaxConnection": 7}, "InvalidParameterValue"),
        ({"Tags": [{"Key": "k", "Value": "1"}, {"Key": "k", "Value": "2"}]}, "InvalidParameterValue.TagDuplicateKey"),
    ],
)
def test_documented_refusals(ten_world, tencent, change, code):
    vpc = ten_world.site()
    with Refused(code):
        make(tencent, **{"VpcId": vpc, **change})


def test_the_bandwidth_refusal_names_the_value(ten_world, tencent):
    vpc = ten_world.site()
    with Refused(
        "InvalidParameterValue",
        says="The value `7` specified in the parameter `InternetMaxBandwidthOut` is not valid.",
    ):
        make(tencent, VpcId=vpc, InternetMaxBandwidthOut=7)


def test_prepaid_needs_its_settings(ten_world, tencent):
    vpc = ten_world.site()
    with Refused("MissingParameter", "InvalidParameterValue.Empty"):
        make(tencent, VpcId=vpc, InstanceChargeType="PREPAID")
    with Refused("InvalidParameterValue"):
        make(tencent, VpcId=vpc, InstanceChargeType="PREPAID", InstanceChargePrepaid={"Period": 10})


def test_a_prepaid_gateway_expires_and_is_kept(server, tencent_clients):
    from harness.tencent_world import World

    world = World(tencent_clients["tc3-post"])
    gateway = world.gateway(
        world.site(), InstanceChargeType="PREPAID",
        InstanceChargePrepaid={"Period": 1, "RenewFlag": "NOTIFY_AND_MANUAL_RENEW"},
    )
    seen = world.read_gateway(gateway)
    assert (seen["InstanceChargeType"], seen["RenewFlag"]) == ("PREPAID", "NOTIFY_AND_MANUAL_RENEW")
    assert seen["ExpiredTime"] > seen["CreatedTime"]
    with Refused("UnsupportedOperation"):
        world.api("DeleteVpnGateway", VpnGatewayId=gateway)
    # Another charge is agreed for the time after the term, which goes on.
    world.api("ModifyVpnGatewayAttribute", VpnGatewayId=gateway, InstanceChargeType="POSTPAID_BY_HOUR")
    after = world.read_gateway(gateway)
    assert (seen["NewPurchasePlan"], after["NewPurchasePlan"]) == ("", "PREPAID_TO_POSTPAID")
    for name in ("InstanceChargeType", "ExpiredTime", "State"):
        assert after[name] == seen[name], name
    with Refused("UnsupportedOperation"):
        world.api("DeleteVpnGateway", VpnGatewayId=gateway)


def test_a_bandwidth_changes_within_its_band(ten_world, tencent):
    gateway = ten_world.gateway(ten_world.site(), InternetMaxBandwidthOut=5)
    for bandwidth in (100, 10):
        tencent("ResetVpnGatewayInternetMaxBandwidth", VpnGatewayId=gateway, InternetMaxBandwidthOut=bandwidth)
        assert ten_world.read_gateway(gateway)["InternetMaxBandwidthOut"] == bandwidth
    with Refused("UnsupportedOperation"):
        tencent("ResetVpnGatewayInternetMaxBandwidth", VpnGatewayId=gateway, InternetMaxBandwidthOut=200)
    assert ten_world.read_gateway(gateway)["InternetMaxBandwidthOut"] == 10


def test_the_bandwidth_of_a_prepaid_gateway_can_only_be_raised(server, tencent_clients):
    from harness.tencent_world import World

    world = World(tencent_clients["tc3-post"])
    gateway = world.gateway(
        world.site(), InternetMaxBandwidthOut=20, InstanceChargeType="PREPAID",
        InstanceChargePrepaid={"Period": 1, "RenewFlag": "NOTIFY_AND_MANUAL_RENEW"},
    )
    world.api("ResetVpnGatewayInternetMaxBandwidth", VpnGatewayId=gateway, InternetMaxBandwidthOut=50)
    with Refused("UnsupportedOperation.VpnUnsupportedModifyBandwidth"):
        world.api("ResetVpnGatewayInternetMaxBandwidth", VpnGatewayId=gateway, InternetMaxBandwidthOut=20)
    assert world.read_gateway(gateway)["InternetMaxBandwidthOut"] == 50


def test_filters_and_pages(ten_world, tencent):
    vpc = ten_world.site()
    names = [unique("gw") for _ in range(4)]
    made = {name: ten_world.gateway(vpc, VpnGatewayName=name) for name in names}
    mine = [{"Name": "vpc-id", "Values": [vpc]}]
    seen = []
    for offset in (0, 2, 4):
        page = tencent("DescribeVpnGateways", Filters=mine, Offset=offset, Limit=2)
        assert page["TotalCount"] == 4
        seen += [item["VpnGatewayId"] for item in page["VpnGatewaySet"]]
    assert sorted(seen) == sorted(made.values())
    either = [*mine, {"Name": "vpn-gateway-name", "Values": names[:2]}]
    found = tencent("DescribeVpnGateways", Filters=either)["VpnGatewaySet"]
    assert {item["VpnGatewayName"] for item in found} == set(names[:2])
    public = ten_world.read_gateway(made[names[0]])["PublicIpAddress"]
    by_ip = tencent("DescribeVpnGateways", Filters=[{"Name": "public-ip-address", "Values": [public]}])
    assert [item["VpnGatewayId"] for item in by_ip["VpnGatewaySet"]] == [made[names[0]]]


@pytest.mark.parametrize(
    "params, codes",
    [
        ({"VpnGatewayIds": ["vpngw-00000000"], "Filters": [{"Name": "vpc-id", "Values": ["x"]}]}, ("InvalidParameter.Coexist",)),
        ({"Filters": [{"Name": "colour", "Values": ["red"]}]}, ("InvalidParameter.FilterInvalidKey",)),
        ({"Limit": 101}, ("InvalidParameterValue.Range",)),
        ({"VpnGatewayIds": [f"vpngw-{n:08}" for n in range(101)]}, ("InvalidParameterValue.LimitExceeded",)),
        ({"VpnGatewayIds": ["gateway-1"]}, ("InvalidVpnGatewayId.Malformed", "InvalidParameterValue.Malformed")),
    ],
)
def test_list_refusals(tencent, params, codes):
    with Refused(*codes):
        tencent("DescribeVpnGateways", **params)


def test_an_unknown_gateway_is_an_empty_set_or_not_found(tencent):
    # Terraform takes nothing else as gone.
    try:
        assert tencent("DescribeVpnGateways", VpnGatewayIds=["vpngw-00000000"])["VpnGatewaySet"] == []
    except Exception as error:  # noqa: BLE001 - the code is looked at
        assert getattr(error, "code", None) == "ResourceNotFound"
    with Refused("ResourceNotFound"):
        tencent("DeleteVpnGateway", VpnGatewayId="vpngw-00000000")


def test_modify(ten_world, tencent):
    gateway = ten_world.gateway(ten_world.site())
    tencent("ModifyVpnGatewayAttribute", VpnGatewayId=gateway, VpnGatewayName="renamed")
    assert ten_world.wait_gateway(gateway)["VpnGatewayName"] == "renamed"
    with Refused("InvalidParameterValue.TooLong"):
        tencent("ModifyVpnGatewayAttribute", VpnGatewayId=gateway, VpnGatewayName="x" * 61)
    with Refused("ResourceNotFound"):
        tencent("ModifyVpnGatewayAttribute", VpnGatewayId="vpngw-00000000", VpnGatewayName="renamed")


def test_ten_gateways_a_vpc(ten_world, tencent):
    vpc = ten_world.site()
    for _ in range(10):
        ten_world.gateway(vpc, wait=False)
    with Refused("LimitExceeded"):
        make(tencent, VpcId=vpc)


def test_names_may_repeat(ten_world):
    vpc = ten_world.site()
    assert ten_world.gateway(vpc, VpnGatewayName="same") != ten_world.gateway(vpc, VpnGatewayName="same")


def test_more_ssl_connections(ten_world, tencent):
    vpc = ten_world.site()
    gateway = ten_world.gateway(vpc, Type="SSL", MaxConnection=5)
    tencent("ModifyVpnGatewayAttribute", VpnGatewayId=gateway, MaxConnection=10)
    assert ten_world.wait_gateway(gateway)["MaxConnection"] == 10
    plain = ten_world.gateway(vpc)
    assert ten_world.read_gateway(plain)["MaxConnection"] == 0
    with Refused("UnsupportedOperation"):
        tencent("ModifyVpnGatewayAttribute", VpnGatewayId=plain, MaxConnection=10)
    with Refused("InvalidParameterValue"):
        tencent("ModifyVpnGatewayAttribute", VpnGatewayId=gateway, MaxConnection=11)
