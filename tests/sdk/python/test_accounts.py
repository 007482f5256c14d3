"""What the operator sets and steers: accounts, keys, quotas, orders; and what a restart and a crash keep."""

import pathlib

import pytest

from harness import alibaba_sdk, tencent_sdk
from harness.alibaba_world import World as AlibabaWorld
from harness.alibaba_world import peer_ip
from harness.errors import Refused
from harness.server import NO_RATE_LIMITS, Server
from harness.tencent_world import World as TencentWorld
from harness.waiting import until

CONFIG = NO_RATE_LIMITS + """
[[accounts]]
id = "2000000000000002"
name = "poor"
solvent = false
quotas = { customer_gateways_per_region = 2 }
resource_groups = [{ id = "rg-acfmone", name = "one" }, { id = "rg-acfmtwo", name = "two" }]
access_keys = [{ id = "LTAIpoor", secret = "poor-secret" }]
"""
POOR = {"key": "LTAIpoor", "secret": "poor-secret"}


@pytest.fixture(scope="module")
def server():
    """A server with a second account."""
    with Server(config=CONFIG) as running:
        yield running


def test_accounts_do_not_see_each_other(server):
    rich, poor = alibaba_sdk.NewSdk(server), alibaba_sdk.NewSdk(server, **POOR)
    address = peer_ip()
    mine = rich("CreateCustomerGateway", IpAddress=address)["CustomerGatewayId"]
    with Refused("InvalidCustomerGatewayInstanceId.NotFound", status=404):
        poor("DescribeCustomerGateway", CustomerGatewayId=mine)
    assert poor("DescribeCustomerGateways")["TotalCount"] == 0
    # An address is taken within an account, not across accounts.
    theirs = poor("CreateCustomerGateway", IpAddress=address)["CustomerGatewayId"]
    assert theirs != mine
    poor("DeleteCustomerGateway", CustomerGatewayId=theirs)
    rich("DeleteCustomerGateway", CustomerGatewayId=mine)
    who = poor("DescribeVpcs")["TotalCount"], tencent_sdk.Sdk(server, **POOR)("GetCallerIdentity", service="sts")
    assert who[0] == 0 and who[1]["AccountId"] == "2000000000000002"


def test_the_two_apis_do_not_see_each_others_resources(server):
    customer = alibaba_sdk.NewSdk(server)("CreateCustomerGateway", IpAddress=peer_ip())["CustomerGatewayId"]
    assert tencent_sdk.Sdk(server)("DescribeCustomerGateways")["CustomerGatewaySet"] == []
    alibaba_sdk.NewSdk(server)("DeleteCustomerGateway", CustomerGatewayId=customer)


def test_quotas_are_the_operators(server):
    world = TencentWorld(tencent_sdk.Sdk(server, **POOR))
    world.customer_gateway(), world.customer_gateway()
    with Refused("LimitExceeded", "VpcLimitExceeded"):
        world.customer_gateway()
    world.clean()


def test_without_funds(server):
    world = TencentWorld(tencent_sdk.Sdk(server, **POOR))
    vpc = world.site()
    with Refused("UnsupportedOperation.InsufficientFunds"):
        world.gateway(vpc)
    assert world.api("DescribeVpnGateways")["TotalCount"] == 0
    world.clean()


def test_resource_groups_are_the_operators(server):
    api = alibaba_sdk.NewSdk(server, **POOR)
    customer = api("CreateCustomerGateway", IpAddress=peer_ip())["CustomerGatewayId"]

    def groups():
        return api("DescribeCustomerGateways", ResourceGroupId="rg-acfmtwo")["TotalCount"]

    assert groups() == 0
    api("MoveVpnResourceGroup", InstanceId=customer, NewResourceGroupId="rg-acfmtwo", ResourceType="CUSTOMERGATEWAY")
    assert groups() == 1
    api("DeleteCustomerGateway", CustomerGatewayId=customer)


def test_paying_an_order_lets_its_gateway_go_on(server):
    world = AlibabaWorld(alibaba_sdk.NewSdk(server))
    vpc, vswitch = world.site()
    made = world.api(
        "CreateVpnGateway", VpcId=vpc, VSwitchId=vswitch, Bandwidth=5, InstanceChargeType="PREPAY", Period=1,
        AutoPay=False,
    )
    gateway, order = made["VpnGatewayId"], str(made["OrderId"])
    assert world.api("DescribeVpnGateway", VpnGatewayId=gateway)["Status"] == "init"
    assert order in server.ctl("orders", "list")
    server.ctl("orders", "pay", order)
    world.wait_gateway(gateway)


def snapshot(api) -> dict:
    """What an account has, without what differs between two reads."""
    found = {}
    for action, outer, inner in (
        ("DescribeVpcs", "Vpcs", "Vpc"),
        ("DescribeVSwitches", "VSwitches", "VSwitch"),
        ("DescribeVpnGateways", "VpnGateways", "VpnGateway"),
        ("DescribeCustomerGateways", "CustomerGateways", "CustomerGateway"),
        ("DescribeVpnConnections", "VpnConnections", "VpnConnection"),
    ):
        found[action] = api(action)[outer][inner]
    return found


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_everything_survives_a_restart(tmp_path, end):
    first = Server(data_dir=str(tmp_path)).start()
    try:
        world = AlibabaWorld(alibaba_sdk.NewSdk(first))
        vpc, vswitch = world.site()
        gateway = world.gateway(vpc, vswitch)
        connection = world.connection(gateway, world.customer_gateway(), IkeConfig={"Psk": "kept-secret"})
        before = snapshot(world.api)
        getattr(first, end)()
    finally:
        first.stop()
    second = Server(data_dir=str(tmp_path))
    with second:
        api = alibaba_sdk.NewSdk(second)
        until(lambda: api("DescribeVpnGateway", VpnGatewayId=gateway)["Status"] == "active", what="the gateway again")
        assert snapshot(api) == before
        assert api("DescribeVpnConnection", VpnConnectionId=connection)["IkeConfig"]["Psk"] == "kept-secret"
    for path in filter(pathlib.Path.is_file, tmp_path.rglob("*")):
        assert b"kept-secret" not in path.read_bytes(), f"{path.name} holds a pre-shared key in clear"
