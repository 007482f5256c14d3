"""The signers against requests that the vendors' own clients sent: a wrong signer proves nothing about a server."""

import json
import pathlib
import urllib.parse

import pytest

from harness import sign_alibaba, sign_tencent

SPECS = pathlib.Path(__file__).resolve().parents[2] / "specs"


def recorded():
    """Every recorded Alibaba request."""
    for name in ("sdk_requests.jsonl", "go_requests.jsonl"):
        for number, line in enumerate((SPECS / "alibaba/vectors" / name).read_text().splitlines()):
            yield pytest.param(json.loads(line), id=f"{name}-{number}")


@pytest.mark.parametrize("request_seen", list(recorded()))
def test_alibaba_signers_agree_with_the_sdks(request_seen):
    headers = {name.lower(): value for name, value in request_seen["headers"].items()}
    query = dict(request_seen["query"])
    authorization = headers.get("authorization", "")
    if authorization.startswith("ACS3-HMAC-SHA256"):
        parts = dict(part.split("=", 1) for part in authorization.split(" ", 1)[1].split(","))
        names = parts["SignedHeaders"].split(";")
        chosen = {name: headers[name] for name in names}
        chosen.setdefault("x-acs-content-sha256", headers["x-acs-content-sha256"])
        canonical = sign_alibaba.canonical(query)
        signature, _ = sign_alibaba.acs3_signature(request_seen["method"], chosen, canonical, "testsecret")
        assert signature == parts["Signature"]
        return
    params = dict(query)
    params.update(urllib.parse.parse_qsl(request_seen.get("body") or "", keep_blank_values=True))
    assert params["SignatureMethod"] == "HMAC-SHA1"
    assert sign_alibaba.v1_signature(request_seen["method"], params, "testsecret") == params["Signature"]


def test_tencent_tc3_published_vectors():
    secret = "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"
    body = rb'{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}'
    headers = [("content-type", "application/json; charset=utf-8"), ("host", "cvm.tencentcloudapi.com")]
    signature, _, scope = sign_tencent.tc3_signature("POST", "", headers, body, 1551113065, "cvm", secret)
    assert scope == "2019-02-25/cvm/tc3_request"
    assert signature == "72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168"


def test_tencent_v1_published_vector():
    params = {
        "Action": "DescribeInstances",
        "InstanceIds.0": "ins-09dx96dg",
        "Limit": "20",
        "Nonce": "11886",
        "Offset": "0",
        "Region": "ap-guangzhou",
        "SecretId": "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE",
        "Timestamp": "1465185768",
        "Version": "2017-03-12",
    }
    signature = sign_tencent.v1_signature(
        "GET", "cvm.tencentcloudapi.com", params, "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE", "HmacSHA1"
    )
    assert signature == "EliP9YW3pW28FpsEdkXt/+WcGeI="
