"""What the operator sells where: zones without VPN gateways, zones sold out, and what a region's gateways lack."""

import pytest

from harness import alibaba_sdk, tencent_sdk
from harness.alibaba_world import World as AlibabaWorld
from harness.errors import Refused
from harness.server import NO_RATE_LIMITS, Server
from harness.tencent_world import World as TencentWorld

# Hangzhou sells gateways in two zones of four, and Shanghai's are of an old version; likewise Tencent's two.
CONFIG = NO_RATE_LIMITS + """
[[regions.alibaba]]
id = "cn-hangzhou"
zones = ["cn-hangzhou-a", "cn-hangzhou-b", { id = "cn-hangzhou-c", vpn_gateways = "none" },
         { id = "cn-hangzhou-d", vpn_gateways = "sold_out" }]

[[regions.alibaba]]
id = "cn-shanghai"
zones = ["cn-shanghai-a", "cn-shanghai-b"]
lacks = ["bgp", "dpd", "nat_traversal"]

[[regions.tencent]]
id = "ap-guangzhou"
zones = [{ id = "ap-guangzhou-1", vpn_gateways = "none" }, "ap-guangzhou-2",
         { id = "ap-guangzhou-3", vpn_gateways = "sold_out" }]

[[regions.tencent]]
id = "ap-shanghai"
zones = ["ap-shanghai-1"]
lacks = ["bgp", "dpd"]
"""
RANGES = {"LocalSubnet": "0.0.0.0/0", "RemoteSubnet": "0.0.0.0/0"}
BGP = '{"EnableBgp": true, "TunnelCidr": "169.254.30.0/30", "LocalBgpIp": "169.254.30.1"}'


@pytest.fixture(scope="module")
def server():
    """A server that sells as the file says."""
    with Server(config=CONFIG) as running:
        yield running


@pytest.fixture
def world(server):
    """A world in Hangzhou."""
    made = AlibabaWorld(alibaba_sdk.NewSdk(server))
    yield made
    made.clean()


@pytest.fixture
def old(server):
    """A world in Shanghai, where the gateways lack much."""
    made = AlibabaWorld(alibaba_sdk.NewSdk(server, region="cn-shanghai"))
    yield made
    made.clean()


@pytest.fixture
def zones(world):
    """A vSwitch of one VPC in each zone, by the zone's letter; and the VPC."""
    vpc = world.vpc()
    switches = {
        letter: world.vswitch(vpc, f"10.{number}.0.0/24", f"cn-hangzhou-{letter}")
        for number, letter in enumerate("abcd", start=1)
    }
    return vpc, switches


def order(world, action: str, vpc: str, first: str, second: str | None = None) -> dict:
    """Creates a gateway with one vSwitch or two."""
    params = {"VpcId": vpc, "VSwitchId": first}
    if second:
        params["DisasterRecoveryVSwitchId"] = second
    if action == "CreateVpnGateway":
        params.update(Bandwidth=10, InstanceChargeType="POSTPAY")
    else:
        params["GatewayType"] = "Enhanced.SiteToSite"
    return world.api(action, **params)


@pytest.mark.parametrize("action", ["CreateVpnGateway", "CreateEnhancedVpnGateway"])
@pytest.mark.parametrize(
    "first, second, code",
    [
        ("c", "a", "InvalidVSwitchId.FirstVswitchNotSupport"),
        ("a", "c", "InvalidVSwitchId.SecondVswitchNotSupport"),
        ("d", "a", "InventoryNotEnough"),
        ("a", "d", "InventoryNotEnough"),
    ],
)
def test_two_vswitches(world, zones, action, first, second, code):
    vpc, switches = zones
    with Refused(code, status=400):
        order(world, action, vpc, switches[first], switches[second])


def test_one_vswitch(world, zones):
    vpc, switches = zones
    with Refused("OperationFailed.AzNotSupport", status=400, says="Try another vswitch"):
        order(world, "CreateVpnGateway", vpc, switches["c"])
    with Refused("OperationFailed.InventoryNotEnough", status=400, says="Try another vswitch"):
        order(world, "CreateVpnGateway", vpc, switches["d"])
    world.gateway(vpc, switches["a"])


def test_the_zones_that_are_shown_are_those_that_sell(world):
    shown = world.api("DescribeVpnGatewayAvailableZones", Spec="5M")["AvailableZoneIdList"]
    assert [zone["ZoneId"] for zone in shown] == ["cn-hangzhou-a", "cn-hangzhou-b"]
    assert len(world.zones()) == 4


def test_a_vswitch_among_the_public_addresses(world):
    vpc = world.vpc("198.51.0.0/16")
    inside, beside = world.vswitch(vpc, "198.51.100.0/24"), world.vswitch(vpc, "198.51.101.0/24")
    with Refused("OperationFailed.VSwitchConflict", status=400):
        order(world, "CreateVpnGateway", vpc, inside)
    world.gateway(vpc, beside)


@pytest.mark.parametrize(
    "extra, code",
    [
        ({"EnableDpd": True}, "OperationUnsupported.SetDPD"),
        ({"EnableNatTraversal": False}, "OperationUnsupported.SetNatTraversal"),
        ({"BgpConfig": BGP}, "OperationUnsupported.EnableBgp"),
    ],
)
def test_an_old_gateway_does_not_know_it(old, extra, code):
    gateway, customer = old.gateway(*old.site()), old.customer_gateway(Asn="65530")
    params = {"VpnGatewayId": gateway, "CustomerGatewayId": customer, **RANGES}
    with Refused(code, status=400):
        old.api("CreateVpnConnection", **params, **extra)
    old.connection(gateway, customer)


def test_an_old_gateway_propagates_nothing(old):
    gateway = old.gateway(*old.site())
    for action in ("ModifyVpnGatewayAttribute", "UpdateEnhancedVpnGateway"):
        with Refused("OperationUnsupported.EnableBgp", status=400):
            old.api(action, VpnGatewayId=gateway, AutoPropagate=True)
    assert '"VpnEnableBgp":"false"' in old.api("DescribeVpnGateway", VpnGatewayId=gateway)["Tag"]


def test_tencents_zones(server):
    world = TencentWorld(tencent_sdk.Sdk(server))
    vpc = world.vpc()
    with Refused("UnsupportedOperation"):
        world.gateway(vpc, Zone="ap-guangzhou-1")
    with Refused("ResourceInsufficient"):
        world.gateway(vpc, Zone="ap-guangzhou-3")
    assert world.read_gateway(world.gateway(vpc))["Zone"] == "ap-guangzhou-2"
    world.clean()


def test_tencents_old_gateways(server):
    world = TencentWorld(tencent_sdk.Sdk(server, region="ap-shanghai"))
    vpc = world.vpc()
    with Refused("UnsupportedOperation.VpnUnsupportedBgp"):
        world.gateway(vpc, BgpAsn=65001)
    gateway, customer = world.gateway(vpc, InternetMaxBandwidthOut=200), world.customer_gateway(BgpAsn=65001)
    link = {"TunnelCidr": "169.254.128.0/30", "LocalBgpIp": "169.254.128.1", "RemoteBgpIp": "169.254.128.2"}
    with Refused("UnsupportedOperation.VpnUnsupportedBgp"):
        world.connection(gateway, customer, RouteType="Bgp", BgpConfig=link)
    with Refused("UnsupportedOperation"):
        world.connection(gateway, customer, DpdEnable=1)
    world.connection(gateway, customer)
    world.clean()
