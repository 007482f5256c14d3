"""HTTP itself: connections that stay, chunks, sizes, half requests, and what the log never holds."""

import http.client
import os
import socket

import pytest

from harness import sign_alibaba, sign_tencent
from harness.alibaba_sdk import NewSdk
from harness.alibaba_world import World
from harness.server import Server

REGION = {"RegionId": "cn-hangzhou"}


def signed_target(server, action: str = "DescribeVpnGateways") -> str:
    """A path that answers 200."""
    params = sign_alibaba.v1_params("POST", action, REGION, server.key_id, server.key_secret)
    return "/?" + sign_alibaba.canonical(params)


def test_a_connection_serves_many_requests(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    for _ in range(50):
        connection.request("POST", signed_target(server))
        answer = connection.getresponse()
        assert answer.status == 200 and answer.read()
    connection.close()


def test_chunked_bodies(server):
    params = sign_alibaba.v1_params("POST", "DescribeVpnGateways", REGION, server.key_id, server.key_secret)
    body = sign_alibaba.canonical(params).encode()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request(
        "POST", "/", iter([body[:10], body[10:]]), {"Content-Type": sign_alibaba.FORM}, encode_chunked=True
    )
    assert connection.getresponse().status == 200
    connection.close()


def test_too_large_a_body(server):
    """Ten mebibytes are the clouds' largest form; one octet more is refused, and the server lives on."""
    body = b"a=" + b"x" * (10 * 1024 * 1024)
    try:
        reply = sign_tencent.tc3_send(server, "DescribeVpnGateways", body)
        assert reply.status in (200, 413)
        if reply.status == 200:
            assert reply.json()["Response"]["Error"]["Code"] == "RequestSizeLimitExceeded"
    except (BrokenPipeError, ConnectionResetError):
        pass
    assert server.healthy()


def test_too_large_a_head(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request("GET", "/", headers={"X-Filler": "x" * 200_000})
        assert connection.getresponse().status in (400, 431)
    except (BrokenPipeError, ConnectionResetError):
        pass
    finally:
        connection.close()
    assert server.healthy()


def test_half_requests_and_noise(server):
    for data in (b"", b"GET", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc", b"\x16\x03\x01\x02\x00" * 50, b"GET / HTTP/9.9\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as raw:
            raw.sendall(data)
            raw.shutdown(socket.SHUT_WR)
            raw.settimeout(5)
            try:
                while raw.recv(4096):
                    pass
            except (TimeoutError, ConnectionResetError):
                pass
    assert server.healthy()


def test_many_idle_connections_stop_nobody(server):
    """One address has a share of the connections, and those above it are closed; another address notices nothing."""
    address, elsewhere = ("127.0.0.1", server.port), ("127.0.0.9", 0)
    idle = [socket.create_connection(address, timeout=5, source_address=elsewhere) for _ in range(300)]
    try:
        assert sign_alibaba.v1_send(server, "DescribeVpnGateways", REGION).status == 200
        # Nothing had to be waited for: the others still have their places.
        idle[0].setblocking(False)
        with pytest.raises(BlockingIOError):
            idle[0].recv(1)
        assert idle[-1].recv(1) == b""
    finally:
        for each in idle:
            each.close()


def test_anything_else_is_no_api(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    for path in ("/favicon.ico", "/", "/../etc/passwd"):
        connection.request("GET", path)
        answer = connection.getresponse()
        assert 400 <= answer.status < 500, (path, answer.status)
        answer.read()
    connection.close()


@pytest.mark.parametrize("level", ["trace"])
def test_no_secret_is_in_the_log(monkeypatch, level):
    monkeypatch.setitem(os.environ, "CAUSEWAY_LOG", level)
    with Server() as server:
        world = World(NewSdk(server))
        vpc, vswitch = world.site()
        gateway = world.gateway(vpc, vswitch)
        customer = world.customer_gateway(Asn="65530", AuthKey="bgp-auth-key-1")
        world.connection(gateway, customer, IkeConfig={"Psk": "psk-that-nobody-logs"})
        sign_alibaba.v1_send(server, "DescribeVpnConnections", REGION)
        world.clean()
        log = "\n".join(line for line in server.lines if "causeway is ready" not in line)
        assert len(server.lines) > 5, "there is a log at all"
        for secret in (server.key_secret, "psk-that-nobody-logs", "bgp-auth-key-1"):
            assert secret not in log
