"""Hostile values in every parameter of every action that is carried out: each gets an answer in the API's own form, soon,
no failure of the service comes of it, and the service is well afterwards."""

import pathlib
import sys
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import done_actions  # noqa: E402
from alibaba_ground import Ground as AlibabaGround  # noqa: E402
from tencent_ground import Ground as TencentGround  # noqa: E402

from harness.server import NO_RATE_LIMITS, Server  # noqa: E402
from harness.shape import alibaba_catalog, tencent_catalog  # noqa: E402
from harness.sign_alibaba import VERSION, flatten, v1_send  # noqa: E402
from harness.sign_tencent import tc3_send  # noqa: E402

CONFIG = NO_RATE_LIMITS + """
[[accounts]]
id = "1000000000000001"
quotas = { gateways_per_region = 100000, gateways_per_network = 100000, networks_per_region = 100000, \
subnets_per_network = 100000, customer_gateways_per_region = 100000, routes_per_table = 100000 }
"""
PATIENCE_S = 15
TEXTS = [
    "", " ", "\x00", "a\r\nb", "\u202eevil", "😀" * 10, "x" * 20_000, "-1", "1e3", "٣", "9" * 40, "NaN", "null", "[" * 2000,
    "{" * 2000, "' OR 1=1--", "<a>&amp;</a>", "%00", "10.0.0.1/8", "010.0.0.0/8", "0.0.0.0/0", "::/0", "224.0.0.0/4",
    "0.0.0.0", "10.0.0.0/8,,10.0.0.0/8",
]
TREES = [-1, 10**30, 1.5, 2**64, True, None, [], {}, [None], [[]], [{}], [{"Name": None}], {"a": [{"b": {}}]}]


# Versions and parameters of the services that the catalogue has not.
UNCATALOGUED = {
    "location": ("2015-06-12", ["Id", "ServiceCode", "Type"]),
    "resourcemanager": ("2020-03-31", ["Status", "PageNumber", "PageSize", "ResourceGroupIds.1", "IncludeTags"]),
    "sts": ("2015-04-01", ["RoleArn"]),
}


@pytest.fixture(scope="module")
def server():
    """A server without the quotas that would answer instead."""
    with Server(config=CONFIG) as running:
        yield running


@pytest.fixture(scope="module")
def alibaba(server):
    """One of everything."""
    return AlibabaGround(server)


@pytest.fixture(scope="module")
def tencent(server):
    """One of everything."""
    return TencentGround(server)


def timely(send):
    """A reply, and no waiting for it."""
    start = time.monotonic()
    reply = send()
    assert time.monotonic() - start < PATIENCE_S
    return reply


@pytest.mark.parametrize("service, action", done_actions.done("Alibaba"))
def test_alibaba(server, alibaba, service, action):
    entry = alibaba_catalog().get(action)
    if entry:
        version, names = VERSION, [row["wire"].replace(".N", ".1") for row in entry["request_wire"]]
        sound = flatten(alibaba.sound(action))
    else:
        (version, names), sound = UNCATALOGUED[service], {}
    for name in names:
        others = {key: value for key, value in sound.items() if not key.startswith(f"{name}.")}
        for text in TEXTS:
            reply = timely(lambda: v1_send(server, action, {**others, name: text}, Version=version))
            what = (action, name, text[:20], reply.body[:200])
            assert reply.status in (200, 400, 403, 404, 409), what
            assert reply.json()["RequestId"], what
            assert reply.status == 200 or "Internal" not in reply.json()["Code"], what
    assert server.healthy()


@pytest.mark.parametrize("service, action", done_actions.done("Tencent"))
def test_tencent(server, tencent, service, action):
    part = tencent_catalog()[service]
    for field in part["actions"][action]["request"]:
        sound = tencent.sound(service, action)
        for value in [*TEXTS, *TREES]:
            params = {**sound, field["name"]: value}
            reply = timely(lambda: tc3_send(server, action, params, service=service, version=part["version"]))
            what = (action, field["name"], str(value)[:20], reply.body[:200])
            assert reply.status == 200, what
            response = reply.json()["Response"]
            assert response["RequestId"], what
            assert not response.get("Error", {}).get("Code", "").startswith("Internal"), what
    assert server.healthy()


def test_parameters_out_of_order_and_doubled(server, alibaba):
    """Gaps and disorder of indices are closed up, the first of two values counts, and a name is not two things."""
    vpc = {"RegionId": "cn-hangzhou", "CidrBlock": "10.0.0.0/8"}
    made = v1_send(server, "CreateVpc", {**vpc, "Tag.7.Key": "b", "Tag.3.Key": "a", "Tag.3.Value": "1"}).json()["VpcId"]
    seen = alibaba.do("DescribeVpcAttribute", VpcId=made)["Tags"]["Tag"]
    assert seen == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}]
    for wrong in ({"Tag.1": "a", "Tag.1.Key": "b"}, {"Tag.1001.Key": "a"}, {"Tag." + "1." * 20 + "Key": "a"}):
        reply = v1_send(server, "CreateVpc", {**vpc, **wrong})
        assert (reply.status, reply.json()["Code"]) == (400, "InvalidParameter"), (wrong, reply.body)
