"""Tencent's signature schemes, from specs/tencent/wire.md sections 2 to 4, independent of any SDK."""

import base64
import datetime
import hashlib
import hmac
import json
import random
import time
import urllib.parse

from harness import flat
from harness.raw import Reply, exchange

VERSION = "2017-03-12"
JSON_TYPE = "application/json"
FORM = "application/x-www-form-urlencoded"
UNSIGNED = "UNSIGNED-PAYLOAD"


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def tc3_signature(
    method: str, query: str, headers: list[tuple[str, str]], payload: bytes, moment: int, service: str, secret: str
) -> tuple[str, str, str]:
    """The signature, the list of signed headers and the credential scope. `headers` are in signed order."""
    signed = ";".join(name for name, _ in headers)
    block = "".join(f"{name}:{value}\n" for name, value in headers)
    request = "\n".join([method, "/", query, block, signed, _sha256(payload)])
    date = datetime.datetime.fromtimestamp(moment, datetime.timezone.utc).strftime("%Y-%m-%d")
    scope = f"{date}/{service}/tc3_request"
    to_sign = "\n".join(["TC3-HMAC-SHA256", str(moment), scope, _sha256(request.encode())])
    key = _hmac(_hmac(_hmac(("TC3" + secret).encode(), date), service), "tc3_request")
    return hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest(), signed, scope


def flatten(params: dict) -> dict[str, str]:
    """The flat spelling: lists are counted from 0."""
    return flat.flatten(params, first=0)


def tc3_send(
    server,
    action: str,
    params: dict | bytes,
    *,
    service: str = "vpc",
    version: str = VERSION,
    region: str | None = "ap-guangzhou",
    method: str = "POST",
    moment: int | None = None,
    key_id: str | None = None,
    secret: str | None = None,
    unsigned: bool = False,
    sign_action: bool = False,
    host: str | None = None,
    language: str | None = "en-US",
    replaced: dict[str, str | None] | None = None,
) -> Reply:
    """Sends a TC3 request. `replaced` changes headers after signing; None drops one."""
    moment = int(time.time()) if moment is None else moment
    host = host or server.address
    if method == "GET":
        query, body, content_type = urllib.parse.urlencode(flatten(params)), b"", FORM
    else:
        body = params if isinstance(params, bytes) else json.dumps(params).encode()
        query, content_type = "", JSON_TYPE
    signed_headers = [("content-type", content_type), ("host", host)]
    if sign_action:
        signed_headers.append(("x-tc-action", action.lower()))
    payload = UNSIGNED.encode() if unsigned else body
    signature, names, scope = tc3_signature(
        method, query, signed_headers, payload, moment, service, secret or server.key_secret
    )
    headers = {
        "Content-Type": content_type,
        "X-TC-Action": action,
        "X-TC-Version": version,
        "X-TC-Timestamp": str(moment),
        "Authorization": f"TC3-HMAC-SHA256 Credential={key_id or server.key_id}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}",
    }
    if region is not None:
        headers["X-TC-Region"] = region
    if language is not None:
        headers["X-TC-Language"] = language
    if unsigned:
        headers["X-TC-Content-SHA256"] = UNSIGNED
    for name, value in (replaced or {}).items():
        if value is None:
            headers.pop(name, None)
        else:
            headers[name] = value
    return exchange(server.port, method, "/?" + query if query else "/", headers, body, host=host)


def v1_signature(method: str, host: str, params: dict[str, str], secret: str, algorithm: str) -> str:
    """base64(HMAC(secret, METHOD + Host + "/?" + sorted pairs, not encoded))."""
    digest = hashlib.sha256 if algorithm == "HmacSHA256" else hashlib.sha1
    pairs = "&".join(f"{key}={value}" for key, value in sorted(params.items()) if key != "Signature")
    source = f"{method}{host}/?{pairs}"
    return base64.b64encode(hmac.new(secret.encode(), source.encode(), digest).digest()).decode()


def v1_send(
    server, action: str, params: dict, *, method: str = "POST", algorithm: str = "HmacSHA256", **common
) -> Reply:
    """Sends a v1 request; `common` replaces common parameters, and None leaves one out."""
    signed = {
        "Action": action,
        "Version": VERSION,
        "Region": "ap-guangzhou",
        "Timestamp": str(int(time.time())),
        "Nonce": str(random.randrange(1, 2**63)),
        "SecretId": server.key_id,
        "SignatureMethod": algorithm,
        "Language": "en-US",
    }
    signed = flat.merged(signed, common, flatten(params))
    if "Signature" not in signed:
        signed["Signature"] = v1_signature(method, server.address, signed, server.key_secret, algorithm)
    text = urllib.parse.urlencode(signed)
    if method == "GET":
        return exchange(server.port, "GET", "/?" + text, {"Content-Type": FORM})
    return exchange(server.port, "POST", "/", {"Content-Type": FORM}, text.encode())
