"""Documented refusals that need a history, or forms that no SDK sends."""

import pytest

from harness.errors import Refused
from harness.sign_tencent import tc3_send

POLICY = {"RouteType": "Policy"}
LINK = {"TunnelCidr": "169.254.128.0/30", "LocalBgpIp": "169.254.128.1", "RemoteBgpIp": "169.254.128.2"}


def spd(*remote: str, local: str = "10.0.1.0/24") -> list[dict]:
    """One rule of a policy connection."""
    return [{"LocalCidrBlock": local, "RemoteCidrBlock": list(remote)}]


@pytest.fixture
def gateway(ten_world):
    """An AVAILABLE gateway."""
    return ten_world.gateway(ten_world.site())


@pytest.fixture
def bgp_gateway(ten_world):
    """A gateway that can do BGP: of 200 Mbit/s and with a number."""
    return ten_world.gateway(ten_world.site(), InternetMaxBandwidthOut=200, BgpAsn=64551, BgpEnable=True)


def connect(api, gateway: str, customer: str, **more):
    """CreateVpnConnection with sound parameters but for `more`."""
    params = {
        "VpnGatewayId": gateway, "CustomerGatewayId": customer, "VpnConnectionName": "x", "PreShareKey": "test",
        "RouteType": "StaticRoute", **more,
    }
    return api("CreateVpnConnection", **params)


def test_a_remote_range_inside_the_vpc(ten_world, tencent, gateway):
    with Refused("InvalidParameterValue.VpcCidrConflict"):
        connect(
            tencent, gateway, ten_world.customer_gateway(), SecurityPolicyDatabases=spd("10.0.2.0/24"), **POLICY
        )


def test_a_remote_range_of_another_connection(ten_world, tencent, gateway):
    ten_world.connection(
        gateway, ten_world.customer_gateway(), SecurityPolicyDatabases=spd("192.168.7.0/24"), **POLICY
    )
    with Refused("InvalidParameterValue.VpnConnCidrConflict"):
        connect(
            tencent, gateway, ten_world.customer_gateway(), SecurityPolicyDatabases=spd("192.168.0.0/16"), **POLICY
        )


def test_health_checks_need_open_policies(ten_world, tencent, gateway):
    with Refused("UnsupportedOperation.VpnConnCidrNotSupportedHealthCheck"):
        connect(
            tencent, gateway, ten_world.customer_gateway(), SecurityPolicyDatabases=spd("192.168.7.0/24"),
            EnableHealthCheck=True, **POLICY,
        )


def test_a_probe_address_is_used_once(ten_world, tencent, gateway):
    probe = {"EnableHealthCheck": True, "HealthCheckLocalIp": "169.254.128.9", "HealthCheckRemoteIp": "169.254.128.10"}
    made = ten_world.connection(gateway, ten_world.customer_gateway(), **probe)
    seen = ten_world.read_connection(made)
    assert (seen["HealthCheckLocalIp"], seen["HealthCheckRemoteIp"]) == ("169.254.128.9", "169.254.128.10")
    with Refused("InvalidParameterValue.VpnConnHealthCheckIpConflict"):
        connect(tencent, gateway, ten_world.customer_gateway(), **probe)


def test_probe_addresses_are_chosen_when_none_are_named(ten_world, gateway):
    seen = ten_world.read_connection(ten_world.connection(gateway, ten_world.customer_gateway(), EnableHealthCheck=True))
    # No probe was sent: none came back, and none was lost.
    assert (seen["EnableHealthCheck"], seen["HealthCheckStatus"]) == (True, "")
    for name in ("HealthCheckLocalIp", "HealthCheckRemoteIp"):
        first, second, third, _ = (int(part) for part in seen[name].split("."))
        assert (first, second) == (169, 254) and third >= 128, seen[name]
    assert seen["HealthCheckLocalIp"] != seen["HealthCheckRemoteIp"]


def test_bgp_link_ranges(ten_world, tencent, bgp_gateway):
    first = ten_world.customer_gateway(BgpAsn=65001)
    with Refused("InvalidParameterValue.VpnConnBgpTunnelCidrMask"):
        connect(tencent, bgp_gateway, first, RouteType="Bgp", BgpConfig={**LINK, "TunnelCidr": "169.254.128.0/29"})
    with Refused("InvalidParameterValue.VpnConnBgpTunnelCidrNotSupported"):
        connect(tencent, bgp_gateway, first, RouteType="Bgp", BgpConfig={**LINK, "RemoteBgpIp": "169.254.129.2"})
    made = ten_world.connection(bgp_gateway, first, RouteType="Bgp", BgpConfig=LINK)
    seen = ten_world.read_connection(made)["BgpConfig"]
    assert seen == {**LINK, "LocalBgpAsn": "64551", "RemoteBgpAsn": "65001"}
    with Refused("InvalidParameterValue.VpnConnBgpTunnelCidrConflict"):
        connect(tencent, bgp_gateway, ten_world.customer_gateway(BgpAsn=65002), RouteType="Bgp", BgpConfig=LINK)


def test_bgp_and_other_routes_do_not_mix(ten_world, tencent, bgp_gateway):
    ten_world.connection(bgp_gateway, ten_world.customer_gateway(BgpAsn=65001), RouteType="Bgp", BgpConfig=LINK)
    with Refused("UnsupportedOperation.VpnConnRouteTypeMixed"):
        connect(tencent, bgp_gateway, ten_world.customer_gateway())


def test_numbers_stay_while_bgp_uses_them(ten_world, tencent, bgp_gateway):
    customer = ten_world.customer_gateway(BgpAsn=65001)
    ten_world.connection(bgp_gateway, customer, RouteType="Bgp", BgpConfig=LINK)
    with Refused("UnsupportedOperation.VpnUnsupportedModifyBgpAsn"):
        tencent("ModifyCustomerGatewayAttribute", CustomerGatewayId=customer, CustomerGatewayName="c", BgpAsn=65002)
    with Refused("UnsupportedOperation.VpnUnsupportedModifyBgpAsn"):
        tencent("ModifyVpnGatewayAttribute", VpnGatewayId=bgp_gateway, BgpAsn=64552)
    tencent("ModifyVpnGatewayAttribute", VpnGatewayId=bgp_gateway, BgpAsn=64551)


def test_bgp_needs_numbers_that_differ(ten_world, tencent, bgp_gateway):
    with Refused("UnsupportedOperation.VpnUnsupportedBgpAsnEqual"):
        connect(tencent, bgp_gateway, ten_world.customer_gateway(BgpAsn=64551), RouteType="Bgp", BgpConfig=LINK)
    with Refused("UnsupportedOperation.VpnUnsupportedUsrGwNotExistBgpAsn"):
        connect(tencent, bgp_gateway, ten_world.customer_gateway(), RouteType="Bgp", BgpConfig=LINK)


def test_a_gateway_without_a_number_does_no_bgp(ten_world, tencent, gateway):
    with Refused("UnsupportedOperation.VpnUnsupportedNotExistBgpAsn", "UnsupportedOperation.VpnUnsupportedBgp"):
        connect(tencent, gateway, ten_world.customer_gateway(BgpAsn=65001), RouteType="Bgp", BgpConfig=LINK)


@pytest.mark.parametrize(
    "change, codes",
    [
        ({"IpStack": "6in6"}, ("UnsupportedOperation.NotSupportCreateIpv6VpnGateway", "UnsupportedOperation.VpnGatewayVpcNoIpv6Subnet")),
        ({"IsPrivate": True, "Type": "SSL"}, ("UnsupportedOperation.PrivateSslVpnGateway", "UnsupportedOperation.PrivateVpnGateway")),
        ({"IsPrivate": True, "BgpEnable": True, "BgpAsn": 64551}, ("UnsupportedOperation.PrivateBgpVpnGateway", "UnsupportedOperation.PrivateVpnGateway")),
        ({"BgpAsn": 0}, ("InvalidParameterValue", "InvalidParameterValue.Range")),
        ({"BgpAsn": 139341}, ("InvalidParameterValue", "InvalidParameterValue.Range")),
        ({"BgpEnable": True}, ("MissingParameter", "UnsupportedOperation.VpnUnsupportedBgp", "InvalidParameterValue")),
    ],
)
def test_gateway_refusals(ten_world, tencent, change, codes):
    vpc = ten_world.site()
    with Refused(*codes):
        tencent("CreateVpnGateway", VpcId=vpc, VpnGatewayName="x", InternetMaxBandwidthOut=200, **change)


@pytest.mark.parametrize(
    "subnet, codes",
    [
        ("10.0.0.0/8", ("InvalidParameterValue.AccessSubnetMask", "UnsupportedOperation.PrivateVpnGateway")),
        ("11.0.0.0/16", ("InvalidParameterValue.AccessSubnetPrefix", "UnsupportedOperation.PrivateVpnGateway")),
    ],
)
def test_access_subnets(tencent, subnet, codes):
    with Refused(*codes):
        tencent(
            "CreateVpnGateway", VpcId="", Type="CCN", VpnGatewayName="x", InternetMaxBandwidthOut=200, IsPrivate=True,
            AccessSubnet=subnet,
        )


@pytest.mark.parametrize(
    "filters, code",
    [
        (["vpc-id"], "InvalidParameter.FilterNotDict"),
        ([{"Name": "vpc-id", "Values": "x"}], "InvalidParameter.FilterValuesNotList"),
    ],
)
def test_filters_of_a_wrong_form(server, filters, code):
    for action in ("DescribeVpnGateways", "DescribeVpnConnections", "DescribeCustomerGateways"):
        error = tc3_send(server, action, {"Filters": filters}).json()["Response"]["Error"]
        assert error["Code"] == code, (action, error)


def test_too_many_filters(server):
    many = [{"Name": "vpc-id", "Values": ["x"]} for _ in range(11)]
    values = [{"Name": "vpc-id", "Values": ["x"] * 6}]
    for action in ("DescribeVpnConnections", "DescribeCustomerGateways"):
        name = "vpc-id" if action == "DescribeVpnConnections" else "ip-address"
        for filters in (many, values):
            filters = [{**each, "Name": name} for each in filters]
            error = tc3_send(server, action, {"Filters": filters}).json()["Response"]["Error"]
            assert error["Code"] in ("LimitExceeded.NumberOfFilters", "InvalidParameterValue.LimitExceeded"), (action, error)


def test_a_gateway_that_is_being_made_is_busy(ten_world, tencent):
    """Until it is AVAILABLE it takes no connection, or it was so quick that it is AVAILABLE already."""
    gateway = ten_world.gateway(ten_world.site(), wait=False)
    customer = ten_world.customer_gateway()
    try:
        with Refused("UnsupportedOperation.InvalidState", "UnsupportedOperation"):
            connect(tencent, gateway, customer)
    except AssertionError as error:
        assert "was accepted" in str(error), error
        found = tencent("DescribeVpnConnections", Filters=[{"Name": "vpn-gateway-id", "Values": [gateway]}])
        made = found["VpnConnectionSet"][0]["VpnConnectionId"]
        ten_world.undo.append(lambda: ten_world.delete_connection(gateway, made))
