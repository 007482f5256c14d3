"""The outside of Alibaba requests, sent by hand: signatures, replay, time, formats, methods, unknown actions."""

import uuid

import pytest

from harness import sign_alibaba
from harness.alibaba_sdk import NewSdk, OldSdk
from harness.errors import Refused
from harness.sign_alibaba import acs3_send, now_text, v1_send

REGION = {"RegionId": "cn-hangzhou"}
SENDERS = {"v1": v1_send, "acs3": acs3_send}


@pytest.fixture(params=list(SENDERS))
def send(request):
    """A request under each signature scheme."""
    return SENDERS[request.param]


def refused(reply, status: int, code: str, says: str | None = None) -> dict:
    """Checks an error's envelope and gives it."""
    body = reply.json()
    assert (reply.status, body.get("Code")) == (status, code), body
    for member in ("RequestId", "HostId", "Code", "Message"):
        assert isinstance(body[member], str) and body[member], member
    assert isinstance(body.get("Recommend", ""), str)
    assert uuid.UUID(body["RequestId"]) and body["RequestId"] == body["RequestId"].upper()
    assert reply.headers["content-type"] == "application/json;charset=utf-8"
    if says:
        assert says in body["Message"]
    return body


@pytest.mark.parametrize("method, place", [("GET", "query"), ("POST", "query"), ("POST", "form")])
def test_parameters_in_query_and_form(server, send, method, place):
    reply = send(server, "DescribeVpnGateways", REGION, method=method, place=place)
    assert reply.status == 200, reply.body
    assert reply.headers["content-type"] == "application/json;charset=utf-8"
    body = reply.json()
    assert body["VpnGateways"] == {"VpnGateway": []}
    assert body["RequestId"] == body["RequestId"].upper() and uuid.UUID(body["RequestId"])
    assert reply.headers.get("x-acs-request-id") == body["RequestId"]
    assert int(reply.headers["content-length"]) == len(reply.body)


def test_query_and_form_are_merged(server):
    params = sign_alibaba.v1_params(
        "POST", "DescribeVpnGateways", {**REGION, "PageSize": 3}, server.key_id, server.key_secret
    )
    form = {"PageSize": params.pop("PageSize")}
    reply = sign_alibaba.exchange(
        server.port, "POST", "/?" + sign_alibaba.canonical(params), {"Content-Type": sign_alibaba.FORM},
        sign_alibaba.canonical(form).encode(),
    )
    assert reply.json()["PageSize"] == 3


@pytest.mark.parametrize("name", ["a b", "a*b", "a~b", "a+b/c=d&e", "中文", "%41", "é"])
def test_odd_characters_survive_signing(server, send, name):
    reply = send(server, "DescribeVpcs", {**REGION, "VpcName": name})
    assert reply.status == 200, reply.body


def test_wrong_secret(server):
    for client in (NewSdk(server, secret="wrong"), NewSdk(server, secret="wrong", algorithm="v2")):
        with Refused("SignatureDoesNotMatch", status=400, says="server string to sign is:"):
            client("DescribeVpnGateways")
    # The old SDK compares the text after the colon with its own string to sign: equal means a wrong secret.
    with pytest.raises(Exception) as caught:
        OldSdk(server, secret="wrong")("DescribeVpnGateways")
    assert not isinstance(caught.value, (IndexError, KeyError)), caught.value


def test_the_string_to_sign_is_told(server):
    params = sign_alibaba.v1_params(
        "POST", "DescribeVpnGateways", REGION, server.key_id, server.key_secret, Signature="d3Jvbmc="
    )
    reply = sign_alibaba.exchange(server.port, "POST", "/?" + sign_alibaba.canonical(params), {})
    body = refused(reply, 400, "SignatureDoesNotMatch")
    told = body["Message"].split("server string to sign is:", 1)[1]
    assert told == sign_alibaba.v1_string_to_sign("POST", params)


def test_unknown_key(server):
    with Refused("InvalidAccessKeyId.NotFound", status=404, says="Specified access key is not found."):
        NewSdk(server, key="LTAInobody")("DescribeVpnGateways")
    refused(v1_send(server, "DescribeVpnGateways", REGION, AccessKeyId="LTAInobody"), 404, "InvalidAccessKeyId.NotFound")


def test_no_key(server):
    reply = v1_send(server, "DescribeVpnGateways", REGION, AccessKeyId=None)
    refused(reply, 400, "MissingAccessKeyId", "AccessKeyId is mandatory for this action.")


@pytest.mark.parametrize("common", ["SignatureNonce", "Timestamp", "Signature", "SignatureMethod"])
def test_missing_common_parameters(server, common):
    params = sign_alibaba.v1_params(
        "POST", "DescribeVpnGateways", REGION, server.key_id, server.key_secret, **{common: None}
    )
    if common == "Signature":
        params.pop("Signature")
    reply = sign_alibaba.exchange(server.port, "POST", "/?" + sign_alibaba.canonical(params), {})
    refused(reply, 400, "Missing" + common, f"{common} is mandatory for this action.")


def test_replayed_nonce(server, send):
    nonce = uuid.uuid4().hex
    common = {"SignatureNonce": nonce} if send is v1_send else {"x_acs_signature_nonce": nonce}
    assert send(server, "DescribeVpnGateways", REGION, **common).status == 200
    refused(
        send(server, "DescribeVpnGateways", REGION, **common), 400, "SignatureNonceUsed",
        "Specified signature nonce was used already.",
    )


@pytest.mark.parametrize("offset_s, fits", [(-800, True), (800, True), (-1000, False), (1000, False)])
def test_the_time_window_is_fifteen_minutes(server, send, offset_s, fits):
    when = now_text(offset_s)
    reply = send(server, "DescribeVpnGateways", REGION, **({"Timestamp": when} if send is v1_send else {"x_acs_date": when}))
    if fits:
        assert reply.status == 200, reply.body
    else:
        refused(reply, 400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.")


@pytest.mark.parametrize("when", ["yesterday", "2026-13-01T00:00:00Z", "2026-01-01 00:00:00"])
def test_malformed_times(server, send, when):
    reply = send(server, "DescribeVpnGateways", REGION, **({"Timestamp": when} if send is v1_send else {"x_acs_date": when}))
    refused(reply, 400, "InvalidTimeStamp.Format")


def test_unknown_signature_method(server):
    refused(v1_send(server, "DescribeVpnGateways", REGION, SignatureMethod="HMAC-CRC"), 400, "InvalidSignatureMethod")


def test_a_tampered_body(server):
    body = sign_alibaba.canonical({"RegionId": "cn-hangzhou", "PageSize": "3"}).encode()
    headers = sign_alibaba.acs3_headers(
        "POST", server.address, "DescribeVpnGateways", {}, body, server.key_id, server.key_secret
    )
    reply = sign_alibaba.exchange(server.port, "POST", "/", headers, body.replace(b"3", b"4"))
    assert reply.status == 400 and reply.json()["Code"] in ("SignatureDoesNotMatch", "InvalidContentSHA256")


def test_a_parameter_that_was_not_signed(server):
    params = sign_alibaba.v1_params("POST", "DescribeVpnGateways", REGION, server.key_id, server.key_secret)
    target = "/?" + sign_alibaba.canonical(params) + "&PageSize=5"
    refused(sign_alibaba.exchange(server.port, "POST", target, {}), 400, "SignatureDoesNotMatch")


def test_unknown_action(server, send):
    refused(
        send(server, "MakeCoffee", REGION), 404, "InvalidAction.NotFound",
        "Specified api is not found, please check your url and method.",
    )


def test_known_but_unsupported_action(server, send):
    reply = send(server, "DescribeVpcPeerConnections", REGION)
    assert reply.status in (400, 404) and reply.json()["Code"] in ("InvalidAction.NotFound", "UnsupportedOperation")


def test_wrong_version(server, send):
    common = {"Version": "1999-01-01"} if send is v1_send else {"x_acs_version": "1999-01-01"}
    refused(send(server, "DescribeVpnGateways", REGION, **common), 400, "InvalidVersion")


@pytest.mark.parametrize("missing", ["VpnGatewayId", "RegionId"])
def test_missing_required_parameters(server, send, missing):
    params = {"VpnGatewayId": "vpn-x", **REGION}
    params.pop(missing)
    reply = send(server, "DescribeVpnGateway", params)
    assert reply.status == 400, reply.body
    assert reply.json()["Code"] in ("Missing" + missing, "MissingParameter")
    assert missing in reply.json()["Message"]


@pytest.mark.parametrize("text", ["JSON", "json", "Json", "None", None])
def test_json_is_the_default(server, text):
    reply = v1_send(server, "DescribeVpnGateways", REGION, Format=text)
    assert reply.headers["content-type"] == "application/json;charset=utf-8" and reply.json()["TotalCount"] == 0


@pytest.mark.parametrize("text", ["XML", "xml"])
def test_xml_answers(server, text):
    reply = v1_send(server, "DescribeRegions", {}, Format=text)
    assert reply.headers["content-type"] == "text/xml;charset=utf-8"
    assert reply.body.startswith(b'<?xml version="1.0" encoding="UTF-8"?>')
    root = reply.xml()
    assert root.tag == "DescribeRegionsResponse"
    regions = [row.findtext("RegionId") for row in root.findall("Regions/Region")]
    assert "cn-hangzhou" in regions
    assert root.findtext("RequestId") == reply.headers.get("x-acs-request-id")


def test_xml_through_the_old_sdk(server):
    text = OldSdk(server, answer="XML").text("DescribeVpnGateways")
    assert text.startswith(b'<?xml version="1.0" encoding="UTF-8"?>') and b"DescribeVpnGatewaysResponse" in text


def test_xml_errors(server):
    reply = v1_send(server, "DescribeVpnGateway", {**REGION, "VpnGatewayId": "vpn-x"}, Format="XML")
    assert reply.status == 404 and reply.headers["content-type"] == "text/xml;charset=utf-8"
    root = reply.xml()
    assert root.tag == "Error" and root.findtext("Code") == "InvalidVpnGatewayInstanceId.NotFound"
    assert root.findtext("Message") and root.findtext("RequestId") and root.findtext("HostId")


def test_a_broken_format(server):
    # The public table has InvalidParameter.Format; the old Python SDK sends the literal None, which must work.
    reply = v1_send(server, "DescribeVpnGateways", REGION, Format="YAML")
    assert reply.status == 200 or reply.json()["Code"] == "InvalidParameter.Format"


def test_booleans_in_any_case(server):
    for text in ("true", "True", "TRUE", "false", "False"):
        reply = v1_send(server, "DescribeVpnGateways", {**REGION, "IncludeReservationData": text})
        assert reply.status == 200, reply.body


def test_the_names_of_other_products(server):
    identity = v1_send(server, "GetCallerIdentity", {}, Version="2015-04-01").json()
    assert {"AccountId", "Arn", "IdentityType", "PrincipalId", "UserId", "RequestId"} <= set(identity)
    endpoints = v1_send(
        server, "DescribeEndpoints", {"ServiceCode": "vpc", "Id": "cn-hangzhou", "Type": "openAPI"},
        Version="2015-06-12",
    ).json()
    assert endpoints["Endpoints"]["Endpoint"][0]["Endpoint"] == server.address
    for product, region, code in [
        ("no-such-product", "cn-hangzhou", "Illegal Parameter"), ("vpc", "cn-atlantis", "InvalidRegionId"),
    ]:
        parameters = {"ServiceCode": product, "Id": region, "Type": "openAPI"}
        refused = v1_send(server, "DescribeEndpoints", parameters, Version="2015-06-12")
        assert refused.status >= 400 and refused.json()["Code"] == code, refused.body
    groups = v1_send(server, "ListResourceGroups", {}, Version="2020-03-31").json()
    assert groups["ResourceGroups"]["ResourceGroup"][0]["Id"].startswith("rg-")


def test_garbage_never_breaks_the_server(server):
    for target in ("/?%zz", "/?=&&=", "/?Action=", "/?" + "a=1&" * 2000, "/?Action=DescribeVpcs&Tag.1.Key"):
        for method in ("GET", "POST"):
            reply = sign_alibaba.exchange(server.port, method, target, {}, b"\xff\xfe%%%" if method == "POST" else b"")
            assert 400 <= reply.status < 500, (target, reply.status, reply.body[:200])
    assert server.healthy()
