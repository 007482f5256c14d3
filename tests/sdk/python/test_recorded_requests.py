"""Every request that real clients were seen to send, signed anew, gets past the gate.

Terraform's Go clients can't run here; what they put where is in these recordings.
"""

import json
import pathlib
import urllib.parse
import uuid

import pytest

from harness import sign_alibaba

VECTORS = pathlib.Path(__file__).resolve().parents[3] / "specs/alibaba/vectors"
GATE = ("MissingAccessKeyId", "MissingAction", "MissingSecurityToken", "MissingSignature", "MissingTimestamp",
        "MissingVersion", "Signature", "IncompleteSignature", "InvalidAccessKeyId", "InvalidTimeStamp", "InvalidVersion",
        "InvalidAction", "InvalidProduct", "InvalidSignatureMethod", "InvalidParameter.Format", "InvalidSecurityToken")


def recordings():
    """Each recorded request."""
    for name in ("sdk_requests.jsonl", "go_requests.jsonl"):
        for number, line in enumerate((VECTORS / name).read_text(encoding="utf-8").splitlines()):
            seen = json.loads(line)
            # A temporary key's token can't be signed anew.
            if "SecurityToken" not in seen["query"] and "x-acs-security-token" not in {k.lower() for k in seen["headers"]}:
                yield pytest.param(seen, id=f"{name.split('_')[0]}-{number}-{seen['action']}")


def resigned_v1(server, seen: dict, query: dict, body: dict) -> tuple[str, dict, bytes]:
    """The request with a new key, time, nonce and signature, every parameter where it was."""
    fresh = {
        "AccessKeyId": server.key_id, "Timestamp": sign_alibaba.now_text(), "SignatureNonce": uuid.uuid4().hex,
    }
    for part in (query, body):
        part.update({name: value for name, value in fresh.items() if name in part})
        part.pop("Signature", None)
    query["Signature"] = sign_alibaba.v1_signature(seen["method"], {**query, **body}, server.key_secret)
    return "/?" + sign_alibaba.canonical(query), {}, sign_alibaba.canonical(body).encode() if body else b""


def resigned_acs3(server, seen: dict, query: dict, body: bytes) -> tuple[str, dict, bytes]:
    """The same for the newer scheme; the same headers are signed."""
    old = {name.lower(): value for name, value in seen["headers"].items()}
    names = old["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    headers = {name: old[name] for name in names}
    headers.update({
        "host": server.address, "x-acs-date": sign_alibaba.now_text(), "x-acs-signature-nonce": uuid.uuid4().hex,
        "x-acs-content-sha256": old["x-acs-content-sha256"],
    })
    signature, signed = sign_alibaba.acs3_signature(
        seen["method"], headers, sign_alibaba.canonical(query), server.key_secret
    )
    headers["Authorization"] = f"ACS3-HMAC-SHA256 Credential={server.key_id},SignedHeaders={signed},Signature={signature}"
    target = "/?" + urllib.parse.urlencode(query) if query else "/"
    return target, headers, body


@pytest.mark.parametrize("seen", list(recordings()))
def test_a_recorded_request_is_understood(server, seen):
    query = dict(seen["query"])
    body = (seen.get("body") or "").encode()
    old = {name.lower(): value for name, value in seen["headers"].items()}
    if "authorization" in old:
        target, headers, body = resigned_acs3(server, seen, query, body)
    else:
        form = dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))
        target, headers, body = resigned_v1(server, seen, query, form)
    for name in ("content-type", "user-agent", "accept", "x-sdk-client", "content-md5"):
        if name in old and name not in headers and not (name == "content-md5" and body):
            headers[name] = old[name]
    reply = sign_alibaba.exchange(server.port, seen["method"], target, headers, body)
    is_xml = reply.headers["content-type"].startswith("text/xml")
    code = (reply.xml().findtext("Code") if is_xml else reply.json().get("Code")) or ""
    # The recordings name things that do not exist; what the action itself answers is not looked at.
    assert not code.startswith(GATE), (code, reply.body[:300])
    if reply.status != 200:
        assert 400 <= reply.status < 500
