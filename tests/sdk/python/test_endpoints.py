"""`causeway ctl endpoints` prints lines to copy: they are run as they stand."""

import ast
import os
import re
import shlex
import subprocess

import pytest


@pytest.fixture(scope="module")
def sections(server) -> dict[str, str]:
    """Title -> the lines under it."""
    parts = re.split(r"^# (?=Alibaba|Tencent)(.*)$", server.ctl("endpoints"), flags=re.MULTILINE)
    return {title.strip(): body.strip() for title, body in zip(parts[1::2], parts[2::2])}


def section(sections: dict[str, str], *words: str) -> str:
    """The one section whose title has all the words."""
    found = [body for title, body in sections.items() if all(word in title for word in words)]
    assert len(found) == 1, (words, list(sections))
    return found[0]


def run(text: str, **names):
    """Runs Python lines; gives their names, and the value of a closing expression as `value`."""
    tree = ast.parse(text)
    if isinstance(tree.body[-1], ast.Expr):
        closing = ast.Assign([ast.Name("value", ast.Store())], tree.body[-1].value)
        tree.body[-1] = closing
    exec(compile(ast.fix_missing_locations(tree), "endpoints", "exec"), names)  # noqa: S102
    return names


def test_alibaba_python(sections):
    from alibabacloud_vpc20160428 import models
    from alibabacloud_vpc20160428.client import Client

    config = run(section(sections, "alibabacloud_vpc20160428", "Python"))["value"]
    answer = Client(config).describe_vpn_gateways(models.DescribeVpnGatewaysRequest(region_id="cn-hangzhou"))
    assert answer.body.total_count == 0


def test_alibaba_python_core(sections):
    from aliyunsdkcore.client import AcsClient
    from aliyunsdkvpc.request.v20160428.DescribeVpnGatewaysRequest import DescribeVpnGatewaysRequest

    text = section(sections, "aliyun-python-sdk-vpc")
    names = run(text, AcsClient=AcsClient, request=DescribeVpnGatewaysRequest())
    assert b'"TotalCount":0' in names["client"].do_action_with_exception(names["request"])


def test_tencent_python(sections):
    from tencentcloud.common.credential import Credential
    from tencentcloud.common.profile.client_profile import ClientProfile
    from tencentcloud.common.profile.http_profile import HttpProfile
    from tencentcloud.vpc.v20170312.models import DescribeVpnGatewaysRequest
    from tencentcloud.vpc.v20170312.vpc_client import VpcClient

    names = run(
        section(sections, "tencentcloud-sdk-python-vpc"), Credential=Credential, ClientProfile=ClientProfile,
        HttpProfile=HttpProfile, VpcClient=VpcClient,
    )
    assert names["client"].DescribeVpnGateways(DescribeVpnGatewaysRequest()).TotalCount == 0


def test_tccli(sections, tmp_path):
    program = os.environ.get("TCCLI")
    if not program:
        pytest.skip("no tccli (set TCCLI)")
    words = shlex.split(section(sections, "Tencent", "command line"))
    assert words[0] == "tccli"
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    done = subprocess.run([program, *words[1:]], capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert done.returncode == 0 and '"TotalCount": 0' in done.stdout, (done.stdout, done.stderr)


def test_the_rest_names_the_address_and_the_key(server, sections):
    for words in (("Alibaba", "command line"), ("Alibaba", "Terraform"), ("Tencent", "Terraform"), ("Alibaba", "Node"), ("Tencent", "Node")):
        text = section(sections, *words)
        assert server.address in text or "HTTP_PROXY" in text, words
        assert server.key_id in text and server.key_secret in text, words
