"""What a tunnel does with packets that are too big, in pieces, or at their last hop: hosts learn the path's MTU, pieces
and TCP pass, errors reach who caused them, and none leaves the gateway in clear."""

import os
import re
import signal
import subprocess
import time

import pytest

from harness.lab import namespaces_of, why_not
from harness.sites import HOST, Lab
from harness.waiting import PATIENCE_S

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

FAR = "192.168.21.2"
# The MTU of a tunnel, and the headers of a ping.
TUNNEL_MTU = 1400
PING_HEADERS = 28


def run(lab: Lab, machine: str, *words: str) -> str:
    """What a command on a machine prints, as its result and as its errors, whatever its status."""
    line = [*lab.exec_line(machine), *words]
    return subprocess.run(
        line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE_S, check=False
    ).stdout


def ping(lab: Lab, machine: str, to: str, size: int, *more: str) -> str:
    """A ping of this many octets of payload."""
    return run(lab, machine, "ping", "-n", "-c", "2", "-i", "0.2", "-W", "1", "-s", str(size), *more, to)


def test_a_packet_that_just_fits_passes_whole(lab):
    assert lab.ping("vpc", FAR, 2, "-M", "do", "-s", str(TUNNEL_MTU - PING_HEADERS)) == (2, 2)


def test_a_host_learns_the_paths_mtu(lab):
    """RFC 1191: without the gateway's word the host would go on sending packets that nobody carries."""
    run(lab, "vpc", "ip", "route", "flush", "cache")
    said = ping(lab, "vpc", FAR, 1472, "-M", "do")
    found = re.search(r"mtu ?= ?(\d+)", said)
    assert found and int(found.group(1)) == TUNNEL_MTU, said
    assert str(TUNNEL_MTU) in run(lab, "vpc", "ip", "route", "get", FAR)


def test_pieces_pass_both_ways(lab):
    assert lab.ping("vpc", FAR, 2, "-M", "dont", "-s", "4000") == (2, 2)
    assert lab.ping("east-host", HOST, 2, "-M", "dont", "-s", "4000") == (2, 2)


def test_tcp_fits_the_tunnel(lab):
    """The segment size is clamped, so that nothing depends on errors that a host may not hear."""
    serve = "import socket;s=socket.create_server(('0.0.0.0', 7777));c,_=s.accept();c.recv(10);" \
            "import time;time.sleep(1)"
    line = [*lab.exec_line("east-host"), "python3", "-c", serve]
    serving = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
    try:
        ask = "import socket,time\nfor _ in range(600):\n try:\n  c=socket.create_connection(('192.168.21.2',7777),1);break\n" \
              " except OSError: time.sleep(.1)\n" \
              "print(c.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)); c.send(b'x')"
        said = run(lab, "vpc", "python3", "-c", ask)
        # Timestamps take 12 octets of a segment.
        assert TUNNEL_MTU - 40 - 12 <= int(said) <= TUNNEL_MTU - 40, said
    finally:
        serving.kill()
        serving.wait()


def test_an_error_comes_back_through_the_tunnel(lab):
    ask = "import socket\nx=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);x.connect(('192.168.21.2',9));x.send(b'a')\n" \
          "x.settimeout(60)\ntry:\n x.recv(1)\nexcept OSError as error: print(type(error).__name__)"
    assert "ConnectionRefusedError" in run(lab, "vpc", "python3", "-c", ask)


def test_the_gateway_is_a_hop(lab):
    said = ping(lab, "vpc", FAR, 56, "-t", "2")
    assert "Time to live exceeded" in said, said


def test_no_error_leaves_in_clear(lab):
    """Errors quote what they are about. Those about packets from tunnels have no way back but the tunnel."""
    fabric = f"cw{lab.server.node_tag}-fabric"
    assert fabric in namespaces_of(lab.server)
    line = ["ip", "netns", "exec", fabric, "tcpdump", "-n", "-l", "--immediate-mode", "-i", "any", "icmp"]
    seeing = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        said = ""
        while "listening on" not in said:
            said = seeing.stderr.readline()
            assert said, "tcpdump does not start"
        # The site's router and host are two hops before the gateway.
        for hops in ("2", "3"):
            ping(lab, "east-host", HOST, 56, "-t", hops)
            ping(lab, "vpc", FAR, 56, "-t", hops)
        ping(lab, "vpc", FAR, 1472, "-M", "do")
        time.sleep(0.5)
        os.kill(seeing.pid, signal.SIGTERM)
        seen, _ = seeing.communicate(timeout=PATIENCE_S)
        assert seen.strip() == ""
    finally:
        seeing.kill()
        seeing.wait()
