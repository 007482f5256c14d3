"""The outside of Tencent requests, sent by hand: signatures, time, languages, hosts, methods, unknown actions."""

import json
import time
import uuid

import pytest

from harness import sign_tencent
from harness.errors import Refused
from harness.sign_tencent import tc3_send, v1_send
from harness.tencent_sdk import Sdk


def inside(reply) -> dict:
    """Checks the envelope, which is the same for success and refusal, and gives its inside."""
    assert reply.status == 200, reply.body
    # Exactly so: with a charset, the Python SDK silently ignores errors.
    assert reply.headers["content-type"] == "application/json"
    body = reply.json()
    assert list(body) == ["Response"]
    assert str(uuid.UUID(body["Response"]["RequestId"])) == body["Response"]["RequestId"]
    return body["Response"]


def refused(reply, code: str, says: str | None = None) -> dict:
    """Checks a refusal."""
    response = inside(reply)
    assert set(response) == {"Error", "RequestId"}, response
    assert response["Error"]["Code"] == code, response
    assert response["Error"]["Message"]
    if says:
        assert says in response["Error"]["Message"], response
    return response


def test_every_signed_form(server):
    for reply in (
        tc3_send(server, "DescribeVpnGateways", {}),
        tc3_send(server, "DescribeVpnGateways", {"Offset": 0, "Limit": 20}, method="GET"),
        tc3_send(server, "DescribeVpnGateways", {}, unsigned=True),
        tc3_send(server, "DescribeVpnGateways", {}, sign_action=True),
        tc3_send(server, "DescribeVpnGateways", {}, host=f"http://{server.address}"),
        tc3_send(server, "DescribeVpnGateways", {}, host="vpc.tencentcloudapi.com"),
        v1_send(server, "DescribeVpnGateways", {}, algorithm="HmacSHA1"),
        v1_send(server, "DescribeVpnGateways", {"Limit": 5}, algorithm="HmacSHA256"),
        v1_send(server, "DescribeVpnGateways", {}, method="GET", algorithm="HmacSHA1"),
        v1_send(server, "DescribeVpnGateways", {}, SignatureMethod=None, algorithm="HmacSHA1"),
    ):
        assert inside(reply)["VpnGatewaySet"] == []


def test_an_empty_body_is_an_empty_object(server):
    assert inside(tc3_send(server, "DescribeVpnGateways", b""))["VpnGatewaySet"] == []


def test_absolute_form_targets(server):
    """What arrives when a client uses the server as its HTTP proxy."""
    body = b"{}"
    moment = int(time.time())
    host = "vpc.tencentcloudapi.com"
    signature, names, scope = sign_tencent.tc3_signature(
        "POST", "", [("content-type", "application/json"), ("host", host)], body, moment, "vpc", server.key_secret
    )
    reply = sign_tencent.exchange(
        server.port, "POST", f"http://{host}/",
        {
            "Content-Type": "application/json", "X-TC-Action": "DescribeVpnGateways", "X-TC-Version": "2017-03-12",
            "X-TC-Timestamp": str(moment), "X-TC-Region": "ap-guangzhou",
            "Authorization": f"TC3-HMAC-SHA256 Credential={server.key_id}/{scope}, SignedHeaders={names}, Signature={signature}",
        },
        body, host=host,
    )
    assert inside(reply)["VpnGatewaySet"] == []


def test_wrong_secret(server):
    refused(
        tc3_send(server, "DescribeVpnGateways", {}, secret="wrong"), "AuthFailure.SignatureFailure",
        "The provided credentials could not be validated. Please check your signature is correct.",
    )
    refused(
        tc3_send(server, "DescribeVpnGateways", {}, secret="wrong", language="zh-CN"), "AuthFailure.SignatureFailure",
        "请求签名验证失败，请检查您的签名计算是否正确。",
    )
    refused(v1_send(server, "DescribeVpnGateways", {}, Signature="d3Jvbmc="), "AuthFailure.SignatureFailure")
    for profile in ({}, {"signMethod": "HmacSHA1"}, {"signMethod": "HmacSHA256"}):
        with Refused("AuthFailure.SignatureFailure"):
            Sdk(server, secret="wrong", **profile)("DescribeVpnGateways")


def test_unknown_key(server):
    refused(
        tc3_send(server, "DescribeVpnGateways", {}, key_id="AKIDnobody"), "AuthFailure.SecretIdNotFound",
        "The SecretId is not found, please ensure that your SecretId is correct.",
    )
    refused(v1_send(server, "DescribeVpnGateways", {}, SecretId="AKIDnobody"), "AuthFailure.SecretIdNotFound")


@pytest.mark.parametrize("offset_s, fits", [(-280, True), (280, True), (-400, False), (400, False)])
def test_the_time_window_is_five_minutes(server, offset_s, fits):
    moment = int(time.time()) + offset_s
    for reply in (
        tc3_send(server, "DescribeVpnGateways", {}, moment=moment),
        v1_send(server, "DescribeVpnGateways", {}, Timestamp=str(moment)),
    ):
        if fits:
            assert inside(reply)["VpnGatewaySet"] == []
        else:
            refused(reply, "AuthFailure.SignatureExpire")


def test_replayed_v1_nonce(server):
    fixed = {"Nonce": "12345", "Timestamp": str(int(time.time()))}
    assert "Error" not in inside(v1_send(server, "DescribeVpnGateways", {}, **fixed))
    assert "Error" in inside(v1_send(server, "DescribeVpnGateways", {}, **fixed))


def test_a_tampered_body(server):
    body = json.dumps({"Limit": 5}).encode()
    moment = int(time.time())
    signature, names, scope = sign_tencent.tc3_signature(
        "POST", "", [("content-type", "application/json"), ("host", server.address)], body, moment, "vpc",
        server.key_secret,
    )
    headers = {
        "Content-Type": "application/json", "X-TC-Action": "DescribeVpnGateways", "X-TC-Version": "2017-03-12",
        "X-TC-Timestamp": str(moment),
        "Authorization": f"TC3-HMAC-SHA256 Credential={server.key_id}/{scope}, SignedHeaders={names}, Signature={signature}",
    }
    reply = sign_tencent.exchange(server.port, "POST", "/", headers, body.replace(b"5", b"6"))
    refused(reply, "AuthFailure.SignatureFailure")


@pytest.mark.parametrize(
    "value", ["TC3-HMAC-SHA256 nonsense", "TC3-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=00", "Bearer x"]
)
def test_malformed_authorization(server, value):
    response = inside(tc3_send(server, "DescribeVpnGateways", {}, replaced={"Authorization": value}))
    assert response["Error"]["Code"] in (
        "AuthFailure.InvalidAuthorization", "MissingParameter", "AuthFailure.SecretIdNotFound",
    )


@pytest.mark.parametrize("header", ["X-TC-Action", "X-TC-Version", "X-TC-Timestamp"])
def test_missing_common_headers(server, header):
    refused(tc3_send(server, "DescribeVpnGateways", {}, replaced={header: None}), "MissingParameter", header[5:])


def test_the_region_may_be_left_out(server):
    assert inside(tc3_send(server, "DescribeVpnGateways", {}, region=None))["VpnGatewaySet"] == []


def test_unknown_region(server):
    refused(tc3_send(server, "DescribeVpnGateways", {}, region="ap-atlantis"), "InvalidParameterValue", "X-TC-Region")


def test_unknown_action_and_version(server):
    refused(tc3_send(server, "MakeCoffee", {}), "InvalidAction", "MakeCoffee")
    refused(tc3_send(server, "DescribeVpnGateways", {}, version="1999-01-01"), "NoSuchVersion", "1999-01-01")
    refused(tc3_send(server, "DescribeVpnGateways", {}, service="coffee"), "NoSuchProduct")


def test_a_catalogued_action_that_is_not_carried_out(server):
    response = inside(tc3_send(server, "GetMonitorData", {}, service="monitor", version="2018-07-24"))
    assert response["Error"]["Code"] in ("InvalidAction", "UnsupportedOperation", "ActionOffline", "MissingParameter")


def test_parameters_that_are_not_in_the_model(server):
    refused(tc3_send(server, "DescribeVpnGateways", {"Colour": "red"}), "UnknownParameter", "Colour")
    refused(v1_send(server, "DescribeVpnGateways", {"Colour": "red"}), "UnknownParameter", "Colour")


@pytest.mark.parametrize(
    "params, name",
    [({"Filters": "x"}, "Filters"), ({"VpnGatewayIds": "x"}, "VpnGatewayIds"), ({"Limit": "many"}, "Limit")],
)
def test_wrong_types(server, params, name):
    response = inside(tc3_send(server, "DescribeVpnGateways", params))
    assert response["Error"]["Code"].startswith("InvalidParameter"), response
    assert name in response["Error"]["Message"] or "Filter" in response["Error"]["Code"]


@pytest.mark.parametrize("body", [b"nonsense", b"[1,2]", b'"text"', b"{", b"\xff\xfe"])
def test_bodies_that_are_no_object(server, body):
    assert "Error" in inside(tc3_send(server, "DescribeVpnGateways", body))


def test_other_methods(server):
    reply = sign_tencent.exchange(server.port, "PUT", "/", {"X-TC-Action": "DescribeVpnGateways", "X-TC-Version": "2017-03-12", "Authorization": "TC3-HMAC-SHA256 Credential=a/2026-01-01/vpc/tc3_request, SignedHeaders=host, Signature=0"})
    assert reply.status in (200, 405)
    if reply.status == 200:
        refused(reply, "UnsupportedProtocol")


def test_services_are_told_by_the_credential_scope(server):
    assert inside(tc3_send(server, "GetCallerIdentity", {}, service="sts", version="2018-08-13"))["AccountId"]
    for service, version, params in (
        ("cvm", "2017-03-12", {}), ("region", "2022-06-27", {"Product": "vpc"}), ("api", "2020-11-06", {"Product": "vpc"}),
    ):
        response = inside(tc3_send(server, "DescribeZones", params, service=service, version=version))
        assert response["ZoneSet"], service


def test_garbage_never_breaks_the_server(server):
    for headers in (
        {"X-TC-Action": "\x7f" * 10}, {"Authorization": "TC3-HMAC-SHA256 " + "a" * 5000}, {"X-TC-Timestamp": "-1"},
        {"X-TC-Timestamp": "99999999999999999999"},
    ):
        reply = tc3_send(server, "DescribeVpnGateways", {}, replaced=headers)
        assert reply.status in (200, 400, 431)
    assert server.healthy()
