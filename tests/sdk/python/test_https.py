"""HTTPS, which SDKs and Terraform use unless told otherwise, with the service's own authority."""

import ssl
import urllib.request

import pytest

from harness.server import Server


@pytest.fixture(scope="module")
def server():
    """A server that listens on TLS too."""
    with Server(extra=("--tls-listen", "127.0.0.1:0")) as running:
        assert running.tls_port and running.tls_port != running.port
        yield running


@pytest.fixture(scope="module")
def authority(server, tmp_path_factory):
    """The file of the authority's certificate, as `causeway ctl ca` prints it."""
    path = tmp_path_factory.mktemp("ca") / "causeway-ca.pem"
    path.write_text(server.ctl("ca"))
    return str(path)


def test_the_certificate_is_good_for_the_address(server, authority):
    context = ssl.create_default_context(cafile=authority)
    # The default from Python 3.13 on, and what RFC 5280 asks for.
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    with urllib.request.urlopen(f"https://127.0.0.1:{server.tls_port}/healthz", context=context, timeout=10) as answer:
        assert answer.status == 200


def test_nobody_else_trusts_it(server):
    with pytest.raises(Exception, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(f"https://127.0.0.1:{server.tls_port}/healthz", timeout=10)


def test_alibaba_old_sdk(server, authority):
    from aliyunsdkcore.client import AcsClient
    from aliyunsdkvpc.request.v20160428.DescribeVpnGatewaysRequest import DescribeVpnGatewaysRequest

    client = AcsClient(server.key_id, server.key_secret, "cn-hangzhou", verify=authority)
    request = DescribeVpnGatewaysRequest()
    request.set_endpoint(f"127.0.0.1:{server.tls_port}")
    request.set_protocol_type("https")
    assert b'"TotalCount":0' in client.do_action_with_exception(request)


def test_alibaba_new_sdk(server, authority):
    from alibabacloud_tea_openapi.utils_models import Config
    from alibabacloud_vpc20160428 import models
    from alibabacloud_vpc20160428.client import Client

    config = Config(
        access_key_id=server.key_id, access_key_secret=server.key_secret, region_id="cn-hangzhou",
        endpoint=f"127.0.0.1:{server.tls_port}", protocol="HTTPS", ca=authority,
    )
    answer = Client(config).describe_vpn_gateways(models.DescribeVpnGatewaysRequest(region_id="cn-hangzhou"))
    assert answer.body.total_count == 0


def test_tencent_sdk(server, authority):
    from harness.tencent_sdk import Sdk

    http = {"protocol": "https", "endpoint": f"127.0.0.1:{server.tls_port}", "certification": authority}
    assert Sdk(server, http=http)("DescribeVpnGateways")["VpnGatewaySet"] == []
