"""The official command line of Tencent Cloud, unmodified, in an environment of its own."""

import json
import os
import pathlib
import shutil
import subprocess

import pytest

from harness.alibaba_world import peer_ip
from harness.waiting import until


def program() -> str:
    """tccli: $TCCLI, or the one on the path."""
    named = os.environ.get("TCCLI") or shutil.which("tccli")
    if not named:
        pytest.skip("no tccli (set TCCLI)")
    return named


@pytest.fixture
def tccli(server, tmp_path):
    """Calls it: tccli("vpc", "DescribeVpcs", Limit="1") -> dict."""
    environment = {
        "HOME": str(tmp_path), "PATH": os.environ["PATH"], "TENCENTCLOUD_SECRET_ID": server.key_id,
        "TENCENTCLOUD_SECRET_KEY": server.key_secret, "TENCENTCLOUD_REGION": "ap-guangzhou",
    }

    def call(service: str, action: str, fails: str | None = None, **params) -> dict:
        line = [program(), service, action, "--endpoint", server.url]
        for name, value in params.items():
            line += [f"--{name}", value if isinstance(value, str) else json.dumps(value)]
        done = subprocess.run(line, capture_output=True, text=True, env=environment, timeout=60, check=False)
        if fails:
            assert done.returncode == 255 and f"code:{fails} " in done.stderr, (done.stdout, done.stderr)
            return {}
        assert done.returncode == 0, (done.stdout, done.stderr)
        return json.loads(done.stdout) if done.stdout.strip() else {}

    return call


def test_life_of_a_gateway(tccli):
    vpc = tccli("vpc", "CreateVpc", VpcName="cli", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    zone = tccli("cvm", "DescribeZones")["ZoneSet"][0]["Zone"]
    subnet = tccli("vpc", "CreateSubnet", VpcId=vpc, SubnetName="cli", CidrBlock="10.0.1.0/24", Zone=zone)["Subnet"]
    made = tccli("vpc", "CreateVpnGateway", VpcId=vpc, VpnGatewayName="cli", InternetMaxBandwidthOut=5)["VpnGateway"]
    gateway = made["VpnGatewayId"]

    def available():
        found = tccli("vpc", "DescribeVpnGateways", VpnGatewayIds=[gateway])["VpnGatewaySet"]
        return found[0]["State"] == "AVAILABLE"

    until(available, what="the gateway")
    customer = tccli("vpc", "CreateCustomerGateway", CustomerGatewayName="cli", IpAddress=peer_ip())["CustomerGateway"]
    peer = customer["CustomerGatewayId"]
    connection = tccli(
        "vpc", "CreateVpnConnection", VpnGatewayId=gateway, CustomerGatewayId=peer, VpnConnectionName="cli",
        PreShareKey="test", RouteType="StaticRoute",
    )["VpnConnection"]["VpnConnectionId"]
    until(
        lambda: tccli("vpc", "DescribeVpnConnections", VpnConnectionIds=[connection])["VpnConnectionSet"][0]["State"]
        == "AVAILABLE",
        what="the connection",
    )
    tccli("vpc", "DeleteCustomerGateway", fails="ResourceInUse", CustomerGatewayId=peer)
    tccli("vpc", "DeleteVpnConnection", VpnGatewayId=gateway, VpnConnectionId=connection)
    until(
        lambda: not tccli("vpc", "DescribeVpnConnections", Filters=[{"Name": "vpn-gateway-id", "Values": [gateway]}])[
            "VpnConnectionSet"
        ],
        what="end of the connection",
    )
    tccli("vpc", "DeleteCustomerGateway", CustomerGatewayId=peer)
    tccli("vpc", "DeleteVpnGateway", VpnGatewayId=gateway)
    mine = [{"Name": "vpc-id", "Values": [vpc]}]
    until(lambda: not tccli("vpc", "DescribeVpnGateways", Filters=mine)["VpnGatewaySet"], what="end of the gateway")
    tccli("vpc", "DeleteSubnet", SubnetId=subnet["SubnetId"])
    tccli("vpc", "DeleteVpc", VpcId=vpc)


def test_refusals_reach_the_terminal(tccli):
    tccli("vpc", "DeleteVpnGateway", fails="ResourceNotFound", VpnGatewayId="vpngw-00000000")


def test_paging_texts_and_identity(tccli):
    assert tccli("vpc", "DescribeVpcs", Offset="0", Limit="20")["TotalCount"] == 0
    assert tccli("sts", "GetCallerIdentity")["AccountId"]


def test_the_configuration_file_survives(tccli, tmp_path):
    """tccli writes its own files on first use; a second call must read them."""
    tccli("sts", "GetCallerIdentity")
    assert (pathlib.Path(tmp_path) / ".tccli").is_dir()
    tccli("sts", "GetCallerIdentity")
