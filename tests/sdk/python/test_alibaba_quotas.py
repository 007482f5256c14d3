"""The documented default quotas."""

import pytest

from harness import alibaba_sdk
from harness.alibaba_world import World, peer_ip
from harness.errors import Refused
from harness.server import Server


@pytest.fixture
def fresh():
    """A world on a server of the test's own: nothing to clean up but the server."""
    with Server() as running:
        yield World(alibaba_sdk.NewSdk(running))


def test_ten_vpcs_a_region(fresh):
    for _ in range(10):
        fresh.vpc()
    with Refused("QuotaExceeded.Vpc", status=400):
        fresh.api("CreateVpc", CidrBlock="10.0.0.0/8")
    fresh.api("CreateVpc", CidrBlock="10.0.0.0/8", RegionId="cn-beijing")


def test_thirty_gateways(fresh):
    vpc, vswitch = fresh.site()
    for _ in range(30):
        fresh.gateway(vpc, vswitch, wait=False)
    with Refused("Resource.QuotaFull", status=400, says="The quota of resource is full"):
        fresh.gateway(vpc, vswitch, wait=False)


def test_a_hundred_customer_gateways_a_region(fresh):
    for _ in range(100):
        fresh.customer_gateway()
    with Refused("CreateVpnUserGatewayQuotaFull.QuotaFull", "Resource.QuotaFull", status=400):
        fresh.api("CreateCustomerGateway", IpAddress=peer_ip())


def test_ten_connections_a_gateway(fresh):
    vpc, vswitch = fresh.site()
    gateway = fresh.gateway(vpc, vswitch)
    for number in range(10):
        fresh.connection(gateway, fresh.customer_gateway(), RemoteSubnet=f"192.168.{number}.0/24")
    with Refused("CreateVpnConnectionsQuotaFull.QuotaFull", "Resource.QuotaFull", status=400):
        fresh.connection(gateway, fresh.customer_gateway(), RemoteSubnet="192.168.99.0/24")


def test_twenty_policy_routes_a_gateway(fresh):
    gateway = fresh.gateway(*fresh.site())
    ranges = {"LocalSubnet": ",".join(f"10.{n}.0.0/24" for n in range(4)), "IkeConfig": {"IkeVersion": "ikev2"}}

    def connect(*remotes: int):
        remote = ",".join(f"192.168.{n}.0/24" for n in remotes)
        return fresh.connection(gateway, fresh.customer_gateway(), RemoteSubnet=remote, **ranges)

    connect(1, 2, 3, 4)
    with Refused(
        "QuotaExceeded.PolicyBasedRoute", status=400,
        says="Existing routes: 16. Routes to be created: 8. Maximum routes: 20.",
    ):
        connect(5, 6)
    connect(7)
    with Refused("CreatePbrRoutesQuotaFull.QuotaFull", status=400):
        connect(8)
    fresh.connection(gateway, fresh.customer_gateway(), RemoteSubnet="192.168.9.0/24", AutoConfigRoute=False, **ranges)
