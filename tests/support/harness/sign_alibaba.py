"""Alibaba's two signature schemes, from specs/alibaba/wire.md sections 2 and 3, independent of any SDK."""

import base64
import datetime
import hashlib
import hmac
import urllib.parse
import uuid

from harness import flat
from harness.raw import Reply, exchange

VERSION = "2016-04-28"
FORM = "application/x-www-form-urlencoded"


def encode(text: str) -> str:
    """Percent-encodes all but the unreserved characters."""
    return urllib.parse.quote(text, safe="-_.~")


def canonical(params: dict[str, str]) -> str:
    """The sorted, encoded pairs."""
    return "&".join(f"{encode(key)}={encode(value)}" for key, value in sorted(params.items()))


def now_text(offset_s: int = 0) -> str:
    """The time in UTC as both schemes write it."""
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=offset_s)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def flatten(params: dict) -> dict[str, str]:
    """The flat spelling: lists are counted from 1."""
    return flat.flatten(params, first=1)


def v1_string_to_sign(method: str, params: dict[str, str]) -> str:
    """The text that scheme v1 signs."""
    kept = {key: value for key, value in params.items() if key != "Signature"}
    return f"{method}&%2F&{encode(canonical(kept))}"


def v1_signature(method: str, params: dict[str, str], secret: str) -> str:
    """base64(HMAC-SHA1(secret + "&", string to sign))."""
    digest = hmac.new((secret + "&").encode(), v1_string_to_sign(method, params).encode(), hashlib.sha1)
    return base64.b64encode(digest.digest()).decode()


def v1_params(method: str, action: str, params: dict, key_id: str, secret: str, **common) -> dict[str, str]:
    """All parameters of a v1 request; `common` replaces common ones, and None leaves one out."""
    signed = {
        "Action": action,
        "Version": VERSION,
        "AccessKeyId": key_id,
        "SignatureMethod": "HMAC-SHA1",
        "SignatureVersion": "1.0",
        "SignatureNonce": uuid.uuid4().hex,
        "Timestamp": now_text(),
        "Format": "JSON",
    }
    signed = flat.merged(signed, common, flatten(params))
    if "Signature" not in signed:
        signed["Signature"] = v1_signature(method, signed, secret)
    return signed


def v1_send(server, action: str, params: dict, method: str = "POST", place: str = "query", **common) -> Reply:
    """Sends a v1 request; `place` is query or form."""
    signed = v1_params(method, action, params, server.key_id, server.key_secret, **common)
    text = canonical(signed)
    if place == "form":
        return exchange(server.port, method, "/", {"Content-Type": FORM}, text.encode())
    return exchange(server.port, method, "/?" + text, {})


def acs3_headers(
    method: str, host: str, action: str, query: dict[str, str], body: bytes, key_id: str, secret: str, **replaced
) -> dict[str, str]:
    """The headers of an ACS3-HMAC-SHA256 request; `replaced` (with _ for -) changes or, with None, drops one."""
    headers = {
        "host": host,
        "x-acs-action": action,
        "x-acs-version": VERSION,
        "x-acs-date": now_text(),
        "x-acs-signature-nonce": uuid.uuid4().hex,
        "x-acs-content-sha256": hashlib.sha256(body).hexdigest(),
    }
    if body:
        headers["content-type"] = FORM
    for name, value in replaced.items():
        name = name.replace("_", "-")
        if value is None:
            headers.pop(name, None)
        else:
            headers[name] = value
    signature, signed = acs3_signature(method, headers, canonical(query), secret)
    headers["Authorization"] = f"ACS3-HMAC-SHA256 Credential={key_id},SignedHeaders={signed},Signature={signature}"
    return headers


def acs3_signature(method: str, headers: dict[str, str], query: str, secret: str) -> tuple[str, str]:
    """The signature over all given headers, and the list of their names."""
    names = sorted(name for name in headers if name.lower() != "authorization")
    signed = ";".join(names)
    block = "".join(f"{name}:{headers[name].strip()}\n" for name in names)
    payload = headers.get("x-acs-content-sha256", "")
    request = f"{method}\n/\n{query}\n{block}\n{signed}\n{payload}"
    to_sign = "ACS3-HMAC-SHA256\n" + hashlib.sha256(request.encode()).hexdigest()
    return hmac.new(secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest(), signed


def acs3_send(server, action: str, params: dict, method: str = "POST", place: str = "query", **replaced) -> Reply:
    """Sends an ACS3 request; `place` is query or form."""
    pairs = flatten(params)
    query = pairs if place == "query" else {}
    body = b"" if place == "query" else canonical(pairs).encode()
    headers = acs3_headers(
        method, server.address, action, query, body, server.key_id, server.key_secret, **replaced
    )
    target = "/?" + canonical(query) if query else "/"
    return exchange(server.port, method, target, headers, body)
