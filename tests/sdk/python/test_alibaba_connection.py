"""Connections: dual tunnels, the documented refusals, and what a busy gateway answers."""

import json
import os

import pytest

from harness.alibaba_world import when_free
from harness.errors import Refused

ENGINE = os.environ.get("CAUSEWAY_TEST_ENGINE", "memory")


@pytest.fixture
def single(ali_world):
    """An active single-tunnel gateway and a customer gateway."""
    vpc, vswitch = ali_world.site()
    return ali_world.gateway(vpc, vswitch), ali_world.customer_gateway(Asn="65530")


@pytest.fixture
def dual(ali_world):
    """An active enhanced gateway."""
    return ali_world.enhanced(*ali_world.dual_site())


def tunnels(first: str, second: str, **more) -> list[dict]:
    """Two tunnels, master and slave."""
    return [
        {"CustomerGatewayId": first, "Role": "master", "TunnelIkeConfig": {"Psk": "first-psk"}, **more},
        {"CustomerGatewayId": second, "Role": "slave", "TunnelIkeConfig": {"Psk": "second-psk"}, **more},
    ]


@pytest.mark.parametrize("scheme", ["acs3", "v2", "old"])
def test_dual_tunnel_connection(alibaba_clients, scheme):
    from harness.alibaba_world import World

    api = alibaba_clients[scheme]
    world = World(api)
    try:
        gateway = world.enhanced(*world.dual_site())
        first, second = world.customer_gateway(), world.customer_gateway()
        connection = world.connection(gateway, None, TunnelOptionsSpecification=tunnels(first, second))
        seen = api("DescribeVpnConnection", VpnConnectionId=connection)
        owner = api("DescribeVpnGateway", VpnGatewayId=gateway)
        options = {item["Role"]: item for item in seen["TunnelOptionsSpecification"]["TunnelOptions"]}
        assert set(options) == {"master", "slave"}
        assert options["master"]["CustomerGatewayId"] == first
        assert options["slave"]["CustomerGatewayId"] == second
        assert options["master"]["InternetIp"] == owner["InternetIp"]
        assert options["slave"]["InternetIp"] == owner["DisasterRecoveryInternetIp"]
        assert options["master"]["TunnelIkeConfig"]["Psk"] == "first-psk"
        assert options["slave"]["TunnelIkeConfig"]["Psk"] == "second-psk"
        assert options["master"]["TunnelId"] != options["slave"]["TunnelId"]
        assert all(item["TunnelId"].startswith("tun-") for item in options.values())
        assert all(item["State"] == "active" for item in options.values())
        # In a tunnel these are texts, unlike at the top level.
        assert options["master"]["EnableDpd"] == "true"
        assert options["master"]["TunnelIkeConfig"]["IkeLifetime"] == "86400"
        config = api("DownloadVpnConnectionConfig", VpnConnectionId=connection)["VpnConnectionConfig"]
        rows = config["TunnelsConfig"]["TunnelConfig"]
        assert {row["TunnelId"] for row in rows} == {item["TunnelId"] for item in options.values()}
        assert {row["Remote"] for row in rows} == {owner["InternetIp"], owner["DisasterRecoveryInternetIp"]}
        assert {row["IkeConfig"]["Psk"] for row in rows} == {"first-psk", "second-psk"}
        with Refused("VpnDependencyViolation.VpnConnection", status=400):
            api("DeleteEnhancedVpnGateway", VpnGatewayId=gateway)
    finally:
        world.clean()


def test_a_dual_gateway_needs_tunnel_options(ali_world, alibaba, dual):
    customer = ali_world.customer_gateway()
    with Refused("MissingParameter.TunnelOptionsSpecification", status=400):
        alibaba(
            "CreateVpnConnection", VpnGatewayId=dual, CustomerGatewayId=customer, LocalSubnet="10.0.0.0/8",
            RemoteSubnet="192.168.10.0/24",
        )
    with Refused("MissingParameter.TunnelOptionsSpecification", status=400):
        alibaba(
            "CreateVpnConnection", VpnGatewayId=dual, LocalSubnet="10.0.0.0/8", RemoteSubnet="192.168.10.0/24",
            TunnelOptionsSpecification=tunnels(customer, customer)[:1],
        )


def test_both_tunnels_may_lead_to_one_device(ali_world, alibaba, dual):
    customer = ali_world.customer_gateway()
    connection = ali_world.connection(dual, None, TunnelOptionsSpecification=tunnels(customer, customer))
    seen = alibaba("DescribeVpnConnection", VpnConnectionId=connection)
    assert len(seen["TunnelOptionsSpecification"]["TunnelOptions"]) == 2


@pytest.mark.parametrize(
    "change, code, status",
    [
        ({"VpnGatewayId": "vpn-bp1doesnotexist00000"}, "InvalidVpnGatewayInstanceId.NotFound", 404),
        ({"CustomerGatewayId": "cgw-bp1doesnotexist00000"}, "InvalidCustomerGatewayInstanceId.NotFound", 404),
        ({"LocalSubnet": "10.0.0.0/33"}, "IllegalParam.LocalSubnet", 400),
        ({"LocalSubnet": ",".join(f"10.{n}.0.0/24" for n in range(6))}, "IllegalParam.LocalSubnet", 400),
        ({"RemoteSubnet": "nonsense"}, "IllegalParam.RemoteSubnet", 400),
        ({"Name": "http://x"}, "InvalidParameter.VpnConnectionName", 400),
        ({"BgpConfig": '{"EnableBgp": true, "LocalAsn": 45104, "LocalBgpIp": "169.254.30.1"}'}, "MissingParameter.TunnelCidr", 400),
        ({"BgpConfig": '{"EnableBgp": true, "TunnelCidr": "169.254.30.0/29", "LocalBgpIp": "169.254.30.1"}'}, "IllegalParam.TunnelCidr", 400),
        ({"BgpConfig": '{"EnableBgp": true, "TunnelCidr": "169.254.169.252/30", "LocalBgpIp": "169.254.169.253"}'}, "IllegalParam.TunnelCidr", 400),
        ({"BgpConfig": '{"EnableBgp": true, "TunnelCidr": "x", "LocalBgpIp": "169.254.30.1"}'}, "InvalidTunnelCidr.Malformed", 400),
        ({"BgpConfig": '{"EnableBgp": true, "TunnelCidr": "169.254.30.0/30", "LocalBgpIp": "169.254.31.1"}'}, "IllegalParam.LocalBgpIp", 400),
        ({"BgpConfig": '{"EnableBgp": true, "TunnelCidr": "169.254.30.0/30", "LocalBgpIp": "x"}'}, "InvalidLocalBgpIp.Malformed", 400),
        ({"BgpConfig": '{"EnableBgp": true, "LocalAsn": 0, "TunnelCidr": "169.254.30.0/30", "LocalBgpIp": "169.254.30.1"}'}, "IllegalParam.LocalAsn", 400),
        ({"BgpConfig": "nonsense"}, "IllegalParam.BgpConfig", 400),
        ({"Tags": [{"Key": "k", "Value": "1"}, {"Key": "k", "Value": "2"}]}, "Duplicated.TagKey", 400),
    ],
)
def test_documented_refusals(ali_world, alibaba, single, change, code, status):
    gateway, customer = single
    params = {
        "VpnGatewayId": gateway, "CustomerGatewayId": customer, "LocalSubnet": "10.0.0.0/8",
        "RemoteSubnet": "192.168.10.0/24", **change,
    }
    with Refused(code, status=status):
        alibaba("CreateVpnConnection", **params)


def test_routes_into_a_vswitch_of_the_vpc_are_refused(ali_world, alibaba, single):
    gateway, customer = single
    # Some of the VPC's only vSwitch.
    params = {
        "VpnGatewayId": gateway, "CustomerGatewayId": customer, "LocalSubnet": "10.0.0.0/8",
        "RemoteSubnet": "192.168.10.0/24,10.1.0.128/25",
    }
    with Refused("VpnRouteEntry.Conflict", status=400):
        alibaba("CreateVpnConnection", AutoConfigRoute=True, **params)
    ali_world.connection(gateway, customer, AutoConfigRoute=False, RemoteSubnet="10.2.0.0/24")


BGP = {"EnableBgp": "true", "LocalAsn": "45104", "TunnelCidr": "169.254.30.0/30", "LocalBgpIp": "169.254.30.1"}
speaks_bgp = pytest.mark.skipif(ENGINE == "linux", reason="the gateways of this engine have no BGP daemon yet")


@pytest.mark.skipif(ENGINE != "linux", reason="the gateways of this engine have BGP")
def test_bgp_is_refused_where_nobody_speaks_it(ali_world, alibaba, single):
    gateway, customer = single
    with Refused("OperationUnsupported.EnableBgp", status=400):
        ali_world.connection(
            gateway, customer, LocalSubnet="0.0.0.0/0", RemoteSubnet="0.0.0.0/0", BgpConfig=json.dumps(BGP)
        )
    shown = alibaba("DescribeVpnGateway", VpnGatewayId=gateway)
    assert json.loads(shown["Tag"])["VpnEnableBgp"] == "false"
    with Refused("OperationUnsupported.EnableBgp", status=400):
        alibaba("ModifyVpnGatewayAttribute", VpnGatewayId=gateway, AutoPropagate=True)


@speaks_bgp
def test_bgp_needs_the_customers_number(ali_world, alibaba, single):
    gateway, _ = single
    without = ali_world.customer_gateway()
    with Refused("MissingParam.CustomerGatewayAsn", status=400):
        alibaba(
            "CreateVpnConnection", VpnGatewayId=gateway, CustomerGatewayId=without, LocalSubnet="0.0.0.0/0",
            RemoteSubnet="0.0.0.0/0", BgpConfig=json.dumps(BGP),
        )


@speaks_bgp
def test_bgp_configuration_is_read_back(ali_world, alibaba, single):
    gateway, customer = single
    connection = ali_world.connection(
        gateway, customer, LocalSubnet="0.0.0.0/0", RemoteSubnet="0.0.0.0/0", BgpConfig=json.dumps(BGP)
    )
    seen = alibaba("DescribeVpnConnection", VpnConnectionId=connection)["VpnBgpConfig"]
    assert (seen["EnableBgp"], seen["LocalAsn"], seen["PeerAsn"]) == ("true", 45104, 65530)
    assert (seen["LocalBgpIp"], seen["PeerBgpIp"]) == ("169.254.30.1", "169.254.30.2")


def test_dry_run_says_so_and_makes_nothing(alibaba, single):
    gateway, customer = single
    with Refused("DryRunOperation", status=400, says="Request validation has been passed with DryRun flag set."):
        alibaba(
            "CreateVpnConnection", VpnGatewayId=gateway, CustomerGatewayId=customer, LocalSubnet="10.0.0.0/8",
            RemoteSubnet="192.168.10.0/24", DryRun=True,
        )
    assert alibaba("DescribeVpnConnections", VpnGatewayId=gateway)["TotalCount"] == 0


def test_the_same_connection_twice(ali_world, alibaba, single):
    gateway, customer = single
    ali_world.connection(gateway, customer)
    with Refused("InvalidVpnConnection.AlreadyExists", status=400):
        alibaba(
            "CreateVpnConnection", VpnGatewayId=gateway, CustomerGatewayId=customer, LocalSubnet="10.0.0.0/8",
            RemoteSubnet="192.168.10.0/24",
        )


def test_editing_one_connection_leaves_its_siblings(ali_world, alibaba, single):
    gateway, customer = single
    other = ali_world.customer_gateway()
    kept = ali_world.connection(gateway, customer, RemoteSubnet="192.168.20.0/24")
    before = alibaba("DescribeVpnConnection", VpnConnectionId=kept)
    doomed = ali_world.connection(gateway, other, RemoteSubnet="192.168.30.0/24")
    ali_world.delete_connection(doomed, gateway)
    after = alibaba("DescribeVpnConnection", VpnConnectionId=kept)
    before.pop("RequestId"), after.pop("RequestId")
    assert after == before


def test_health_check_keys_in_either_case(ali_world, alibaba, single):
    gateway, customer = single
    check = {"Enable": "true", "Dip": "192.168.10.1", "Sip": "10.1.0.9", "Interval": 3, "Retry": 3}
    connection = ali_world.connection(gateway, customer, HealthCheckConfig=check)
    seen = alibaba("DescribeVpnConnection", VpnConnectionId=connection)["VcoHealthCheck"]
    assert (seen["Enable"], seen["Dip"], seen["Sip"]) == ("true", "192.168.10.1", "10.1.0.9")
    assert (seen["Interval"], seen["Retry"]) == (3, 3)
    # No probe was sent: none came back, and none was lost.
    assert seen["Status"] == ""


def test_unknown_connections(alibaba):
    nobody = "vco-bp1doesnotexist00000"
    for action in ("DescribeVpnConnection", "DeleteVpnConnection", "DownloadVpnConnectionConfig"):
        with Refused("InvalidVpnConnectionInstanceId.NotFound", status=404):
            when_free(lambda: alibaba(action, VpnConnectionId=nobody))
    page = alibaba("DescribeVpnConnections", VpnConnectionId=nobody)
    assert (page["TotalCount"], page["VpnConnections"]["VpnConnection"]) == (0, [])
