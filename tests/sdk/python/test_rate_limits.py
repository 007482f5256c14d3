"""The documented limits of how often an action may be called, on a server that keeps them."""

import time

import pytest

from harness.server import Server
from harness.sign_alibaba import v1_send
from harness.sign_tencent import tc3_send


@pytest.fixture(scope="module")
def limited():
    """A server with the limits on, as it comes."""
    with Server(config="") as running:
        yield running


def tencent_error(server, **more) -> dict:
    """What CreateVpnGateway answers for a VPC that is not there. Refused calls count as well."""
    return tc3_send(server, "CreateVpnGateway", {"VpcId": "vpc-00000000"}, **more).json()["Response"]["Error"]


def test_tencent_twenty_gateways_a_second(limited):
    errors = []
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        errors.append(tencent_error(limited))
        if errors[-1]["Code"] == "RequestLimitExceeded":
            break
    codes = [error["Code"] for error in errors]
    assert codes[-1] == "RequestLimitExceeded" and codes.index("RequestLimitExceeded") >= 20, codes[-5:]
    assert errors[-1]["Message"] == (
        "Your current request times equals to `21` in a second, which exceeds the frequency limit `20` for a second. "
        "Please reduce the frequency of calls."
    )
    other = tc3_send(limited, "DescribeVpnGateways", {}).json()["Response"]
    assert "Error" not in other, "the limit is each action's own"
    time.sleep(1.05)
    assert tencent_error(limited)["Code"] != "RequestLimitExceeded"


def test_tencent_says_it_in_chinese(limited):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        error = tencent_error(limited, language="zh-CN")
        if error["Code"] == "RequestLimitExceeded":
            assert "次，超过了每秒频率上限 `20`，请稍后重试。" in error["Message"]
            return
    raise AssertionError("no limit in ten seconds")


def test_alibaba_thirty_downloads_a_minute(limited):
    params = {"RegionId": "cn-hangzhou", "VpnConnectionId": "vco-bp1doesnotexist00000"}
    codes = []
    for _ in range(70):
        body = v1_send(limited, "DownloadVpnConnectionConfig", params).json()
        codes.append(body["Code"])
        if codes[-1].startswith("Throttling"):
            break
    assert codes[-1] == "Throttling.User", codes[-1]
    assert body["Message"] == "Request was denied due to user flow control."
    assert len(codes) > 30
