"""The control plane may be killed at every moment of a gateway's life: the next start converges, and nothing is left
that the store does not know. After a reboot everything is back, with the addresses that it had."""

import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

from harness.lab import ESP, IKE, namespaces_of, why_not
from harness.server import Server
from harness.sites import HOST, Lab, counted
from harness.waiting import PATIENCE_S, until

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


@pytest.fixture
def lab(own_lab):
    """A lab of a test's own."""
    return own_lab


def restart(server: Server) -> None:
    """A crash, and the start after it."""
    server.kill()
    server.start()


def gateways(server: Server) -> list[str]:
    """The namespaces of gateways."""
    return [name for name in namespaces_of(server) if "-gw-" in name]


# Seconds after the call in which the crash comes: a creation takes about 0.1 s.
MOMENTS = [0.0, 0.004, 0.01, 0.02, 0.035, 0.05, 0.08, 0.15]


def test_a_crash_in_a_gateways_life(lab):
    """Created, connected, disconnected and deleted, with a crash somewhere in each."""
    lab.site("east", 21)
    running = lab.start_ping("east-host", HOST, 400)
    world, server = lab.world, lab.server
    for moment in MOMENTS:
        gateway = world.gateway(lab.vpc, wait=False, InternetMaxBandwidthOut=10)
        time.sleep(moment)
        restart(server)
        world.wait_gateway(gateway)
        customer = world.customer_gateway()
        connection = world.connection(
            gateway, customer, wait=False, IKEOptionsSpecification=IKE, IPSECOptionsSpecification=ESP,
        )
        time.sleep(moment)
        restart(server)
        world.wait_connection(connection)
        world.when_free(lambda g=gateway, c=connection: world.api("DeleteVpnConnection", VpnGatewayId=g, VpnConnectionId=c))
        time.sleep(moment)
        restart(server)
        until(lambda c=connection: world.read_connection(c) is None, what="the end of the connection")
        world.when_free(lambda g=gateway: world.api("DeleteVpnGateway", VpnGatewayId=g))
        time.sleep(moment)
        restart(server)
        until(lambda g=gateway: world.read_gateway(g) is None, what="the end of the gateway")
        until(lambda: len(gateways(server)) == 1, what=f"only the first gateway: {gateways(server)}")
    assert counted(running) == (400, 400), "a neighbour's transfer loses nothing"


def kill_all(namespace: str) -> None:
    """Kills the processes of a namespace; those that a killed one takes along are gone already."""
    listed = subprocess.run(["ip", "netns", "pids", namespace], capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    for pid in listed.stdout.split():
        try:
            os.kill(int(pid), signal.SIGKILL)
        except ProcessLookupError:
            continue


def end_everything(server: Server) -> None:
    """What a reboot does: no process, no namespace, no run directory; the data directory stays."""
    server.kill()
    for name in namespaces_of(server):
        kill_all(name)
    for name in namespaces_of(server):
        subprocess.run(["ip", "netns", "del", name], check=True, timeout=PATIENCE_S)
    run_dir = pathlib.Path("/run/causeway") / server.node_tag
    # A mount of its own where /run is not in memory anyway.
    if os.path.ismount(run_dir):
        subprocess.run(["umount", "-l", str(run_dir)], check=True, timeout=PATIENCE_S)
    shutil.rmtree(run_dir)
    for file in run_dir.parent.glob(f"{server.node_tag}.*"):
        file.unlink()


def test_everything_is_back_after_a_reboot(lab):
    lab.site("east", 21)
    before = lab.world.read_gateway(lab.gateway)
    listed = sorted(namespaces_of(lab.server))
    config = pathlib.Path(lab.server.data_dir) / "east.conf"
    end_everything(lab.server)
    assert namespaces_of(lab.server) == []
    lab.server.start()
    until(lambda: len(gateways(lab.server)) == 1, what="the gateway's namespace")
    lab.world.wait_gateway(lab.gateway)
    after = lab.world.read_gateway(lab.gateway)
    for name in ("PublicIpAddress", "InternetMaxBandwidthOut", "VpcId"):
        assert after[name] == before[name]
    lab.server.lab("host", "vpc", "--subnet", lab.subnet, "--ip", HOST)
    lab.site_again("east")
    assert config.exists()
    lab.up("east")
    until(lambda: lab.ping("east-host", HOST) == (5, 5), what="traffic again")
    assert sorted(namespaces_of(lab.server)) == listed


def test_files_of_another_version_are_made_anew(lab):
    """Whoever installs another version finds his gateways again, whatever the one before wrote down."""
    lab.site("east", 21)
    server = lab.server
    server.kill()
    root = pathlib.Path("/run/causeway") / server.node_tag
    records = [path for path in root.rglob("*.json")]
    assert len(records) >= 4, records
    for path in records:
        path.write_text('{"object": {"of": "another version"}}')
    server.lines.clear()
    server.start()
    until(lambda: lab.ping("east-host", HOST, 3)[1] == 3, what="traffic again")
    lab.up("east")
    assert any("another version's record" in line for line in server.lines), server.lines


FAKE = """
import json, os, socket, sys
path = sys.argv[1]
if os.path.exists(path):
    os.unlink(path)
listening = socket.socket(socket.AF_UNIX)
listening.bind(path)
listening.listen()
print("ready", flush=True)
kept = []
while True:
    conn, _ = listening.accept()
    kept.append(conn)
    try:
        conn.makefile().readline()
        conn.sendall(b'{"how_it_is": "fine"}\\n')
    except OSError:
        pass
"""


def test_a_keeper_of_another_version_is_replaced(lab):
    lab.site("east", 21)
    server = lab.server
    server.kill()
    sockets = list((pathlib.Path("/run/causeway") / server.node_tag).rglob("keeper.sock"))
    assert len(sockets) == 1
    kill_all(gateways(server)[0])
    fake = subprocess.Popen(["python3", "-c", FAKE, str(sockets[0])], stdout=subprocess.PIPE)
    try:
        assert fake.stdout.readline() == b"ready\n"
        server.start()
        assert fake.wait(PATIENCE_S) == -signal.SIGKILL
        until(lambda: lab.ping("east-host", HOST, 3)[1] == 3, what="traffic again")
        assert any("of another version and is replaced" in line for line in server.lines)
    finally:
        fake.kill()
        fake.wait()


def test_an_orderly_end_leaves_the_gateways(lab):
    """SIGTERM and SIGINT without --cleanup."""
    server = lab.server
    line = [word for word in server.command() if word != "--cleanup"]
    server.stop_process()
    assert namespaces_of(server) == [], "it was started with --cleanup"
    for sign in (signal.SIGTERM, signal.SIGINT):
        process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            assert "causeway is ready" in process.stdout.readline()
            until(lambda: len(gateways(server)) == 1, what="the gateway's namespace")
            lab.world.wait_gateway(lab.gateway)
            before = sorted(namespaces_of(server))
            process.send_signal(sign)
            assert process.wait(PATIENCE_S) == 0
            assert sorted(namespaces_of(server)) == before and len(gateways(server)) == 1
        finally:
            process.kill()
            process.wait()
    server.start()
