"""Many callers at once: tokens, uniqueness and quotas hold, and nobody gets another's address."""

import concurrent.futures
import uuid

import pytest

from harness.alibaba_sdk import REGION
from harness.alibaba_world import World, peer_ip
from harness.alibaba_sdk import NewSdk
from harness.server import NO_RATE_LIMITS, Server
from harness.sign_alibaba import v1_send
from harness.sign_tencent import tc3_send
from harness.waiting import until

CALLERS = 50
CONFIG = NO_RATE_LIMITS + """
[[accounts]]
id = "1000000000000001"
quotas = { gateways_per_region = 1000, gateways_per_network = 1000 }
"""


@pytest.fixture
def server():
    """A server of the test's own."""
    with Server(config=CONFIG) as running:
        yield running


def at_once(call, count: int = CALLERS) -> list:
    """The results of `count` calls made at the same time."""
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return [each.result() for each in [pool.submit(call, number) for number in range(count)]]


def test_one_token_makes_one_gateway(server):
    world = World(NewSdk(server))
    vpc, vswitch = world.site()
    params = {
        "RegionId": REGION, "VpcId": vpc, "VSwitchId": vswitch, "Bandwidth": 5, "InstanceChargeType": "POSTPAY",
        "ClientToken": uuid.uuid4().hex,
    }
    replies = at_once(lambda _: v1_send(server, "CreateVpnGateway", params))
    assert {reply.status for reply in replies} == {200}
    assert len({reply.json()["VpnGatewayId"] for reply in replies}) == 1
    assert world.api("DescribeVpnGateways")["TotalCount"] == 1


def test_one_address_makes_one_customer_gateway(server):
    params = {"RegionId": REGION, "IpAddress": peer_ip()}
    replies = at_once(lambda _: v1_send(server, "CreateCustomerGateway", params))
    codes = sorted(reply.json().get("Code", "made") for reply in replies)
    assert codes == ["InvalidIpAddress.AlreadyExist"] * (CALLERS - 1) + ["made"]
    ten = {"CustomerGatewayName": "x", "IpAddress": params["IpAddress"]}
    replies = at_once(lambda _: tc3_send(server, "CreateCustomerGateway", ten).json()["Response"])
    assert sum("Error" not in reply for reply in replies) == 1


def test_one_thing_is_deleted_once(server):
    made = v1_send(server, "CreateCustomerGateway", {"RegionId": REGION, "IpAddress": peer_ip()}).json()
    params = {"RegionId": REGION, "CustomerGatewayId": made["CustomerGatewayId"]}
    replies = at_once(lambda _: v1_send(server, "DeleteCustomerGateway", params))
    codes = sorted(reply.json().get("Code", "deleted") for reply in replies)
    assert codes == ["InvalidCustomerGatewayInstanceId.NotFound"] * (CALLERS - 1) + ["deleted"]
    assert v1_send(server, "DescribeCustomerGateways", {"RegionId": REGION}).json()["TotalCount"] == 0


def test_a_gateway_is_made_or_deleted_but_not_both(server):
    """Deletions while a gateway is being made are refused or win; none leaves half of it."""
    world = World(NewSdk(server))
    vpc, vswitch = world.site()
    made = [world.gateway(vpc, vswitch, wait=False) for _ in range(5)]
    replies = at_once(
        lambda number: v1_send(server, "DeleteVpnGateway", {"RegionId": REGION, "VpnGatewayId": made[number % 5]})
    )
    assert {reply.status for reply in replies} <= {200, 400, 403, 404}, [reply.json() for reply in replies]
    deleted = {made[number % 5] for number, reply in enumerate(replies) if reply.status == 200}
    stay = set(made) - deleted

    def is_quiet() -> bool:
        page = world.api("DescribeVpnGateways", PageSize=50)["VpnGateways"]["VpnGateway"]
        return {item["VpnGatewayId"] for item in page if item["Status"] == "active"} == stay and len(page) == len(stay)

    until(is_quiet, what="the gateways that stay, active, and no others")


def test_a_customer_gateway_in_use_stays(server):
    """Of a connection's creation and the deletion of its customer gateway, one wins."""
    world = World(NewSdk(server))
    vpc, vswitch = world.site()
    gateway = world.gateway(vpc, vswitch)
    for round_ in range(5):
        customer = v1_send(server, "CreateCustomerGateway", {"RegionId": REGION, "IpAddress": peer_ip()}).json()["CustomerGatewayId"]
        create = {
            "RegionId": REGION, "VpnGatewayId": gateway, "CustomerGatewayId": customer, "LocalSubnet": "10.0.0.0/8",
            "RemoteSubnet": f"192.168.{round_}.0/24",
        }
        delete = {"RegionId": REGION, "CustomerGatewayId": customer}
        calls = [("CreateVpnConnection", create), ("DeleteCustomerGateway", delete)]
        if round_ % 2:
            calls.reverse()
        replies = dict(zip((name for name, _ in calls), at_once(lambda number: v1_send(server, *calls[number]), 2)))
        is_made = replies["CreateVpnConnection"].status == 200
        assert is_made != (replies["DeleteCustomerGateway"].status == 200), [reply.json() for reply in replies.values()]
        if is_made:
            world.wait_gateway(gateway)
    found = world.api("DescribeVpnConnections", PageSize=50)["VpnConnections"]["VpnConnection"]
    for connection in found:
        world.api("DescribeCustomerGateway", CustomerGatewayId=connection["CustomerGatewayId"])


def test_a_quota_is_never_overdrawn(server):
    replies = at_once(lambda _: v1_send(server, "CreateVpc", {"RegionId": REGION, "CidrBlock": "10.0.0.0/8"}))
    assert sum(reply.status == 200 for reply in replies) == 10
    assert {reply.json()["Code"] for reply in replies if reply.status != 200} == {"QuotaExceeded.Vpc"}


def test_a_hundred_gateways_have_a_hundred_addresses(server):
    world = World(NewSdk(server))
    vpc, vswitch = world.site()
    params = {"RegionId": REGION, "VpcId": vpc, "VSwitchId": vswitch, "Bandwidth": 5, "InstanceChargeType": "POSTPAY"}
    made = [reply.json()["VpnGatewayId"] for reply in at_once(lambda _: v1_send(server, "CreateVpnGateway", params), 100)]
    assert len(set(made)) == 100
    until(lambda: world.api("DescribeVpnGateways", Status="active")["TotalCount"] == 100, what="a hundred active gateways")
    seen, addresses = set(), set()
    for number in range(1, 11):
        page = world.api("DescribeVpnGateways", PageNumber=number, PageSize=10)["VpnGateways"]["VpnGateway"]
        seen |= {item["VpnGatewayId"] for item in page}
        addresses |= {item["InternetIp"] for item in page}
    assert seen == set(made) and len(addresses) == 100


def test_pages_stay_whole_while_others_create_and_delete(server):
    """A walk through the pages sees everything that was there all the time."""
    stay = {v1_send(server, "CreateCustomerGateway", {"RegionId": REGION, "IpAddress": peer_ip()}).json()["CustomerGatewayId"] for _ in range(40)}
    stop = False

    def churn(_):
        while not stop:
            made = v1_send(server, "CreateCustomerGateway", {"RegionId": REGION, "IpAddress": peer_ip()}).json()
            gone = v1_send(server, "DeleteCustomerGateway", {"RegionId": REGION, "CustomerGatewayId": made["CustomerGatewayId"]})
            assert gone.status == 200

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        churners = [pool.submit(churn, number) for number in range(4)]
        for _ in range(20):
            answer = v1_send(server, "DescribeCustomerGateways", {"RegionId": REGION, "PageSize": 50}).json()
            ids = [item["CustomerGatewayId"] for item in answer["CustomerGateways"]["CustomerGateway"]]
            assert len(ids) == len(set(ids)) and len(ids) == min(50, answer["TotalCount"])
            assert stay <= set(ids)
        stop = True
        for each in churners:
            each.result()
