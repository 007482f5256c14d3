"""Real gateways behind the API: sites of stock strongSwan, set up only from what the API hands out, and traffic.

What a running transfer must not notice: a sibling that is deleted, a control plane that is killed. What must come
back by itself: a gateway whose charon was killed.
"""

import os
import pathlib
import signal
import subprocess
import time

import pytest

from harness.lab import ESP, IKE, namespaces, namespaces_of, why_not
from harness.sites import HOST, counted
from harness.server import Server
from harness.waiting import PATIENCE_S, until

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


def test_packets_go_both_ways(lab):
    assert lab.ping("east-host", HOST) == (5, 5)
    assert lab.ping("vpc", "192.168.21.2") == (5, 5)


def test_nothing_passes_beside_a_tunnel(lab):
    """A site without a connection reaches neither the host nor the other site."""
    lab.server.lab("site", "stranger", "--public-ip", "203.0.113.66", "--cidr", "192.168.66.0/24")
    public = lab.world.read_gateway(lab.gateway)["PublicIpAddress"]
    for address in (HOST, "192.168.21.2"):
        sent, received = lab.ping("stranger-host", address, 10)
        assert (sent, received) == (10, 0), f"{address} answers through {public}"
    lab.server.lab("delete", "stranger")


def test_a_deleted_sibling_is_not_noticed(lab):
    lab.site("west", 22)
    assert lab.ping("west-host", HOST)[1] > 0
    running = lab.start_ping("east-host", HOST, 150)
    time.sleep(0.5)
    lab.world.delete_connection(lab.gateway, lab.connections.pop("west"))
    sent, received = counted(running)
    assert (sent, received) == (150, 150)
    assert lab.ping("west-host", HOST, 10) == (10, 0), "a deleted connection carries nothing"
    lab.server.lab("delete", "west")


def test_neighbours_that_come_and_go_are_not_noticed(lab):
    """Gateways and hosts on the same bridges: the router stays where it is for everybody."""
    running = lab.start_ping("east-host", HOST, 300)
    for number in range(4):
        gateway = lab.world.gateway(lab.vpc, InternetMaxBandwidthOut=10)
        lab.server.lab("host", f"n{number}", "--subnet", lab.subnet, "--ip", f"10.0.1.{110 + number}")
        lab.server.lab("delete", f"n{number}")
        lab.world.delete_gateway(gateway)
    assert counted(running) == (300, 300)


def test_a_killed_control_plane_is_not_noticed(lab):
    running = lab.start_ping("east-host", HOST, 250)
    time.sleep(0.5)
    lab.server.kill()
    time.sleep(1)
    lab.server.start()
    sent, received = counted(running)
    assert (sent, received) == (250, 250)
    lab.up("east")
    lab.site("south", 23)
    assert lab.ping("south-host", HOST)[1] > 0, "the control plane goes on where it was killed"
    lab.world.delete_connection(lab.gateway, lab.connections.pop("south"))
    lab.server.lab("delete", "south")


def test_a_killed_charon_comes_back(lab):
    daemons = gateway_daemons(lab.server)
    assert daemons, "the gateway has a charon"
    for pid in daemons:
        os.kill(pid, signal.SIGKILL)
    until(lambda: set(gateway_daemons(lab.server)) - set(daemons), what="another charon")
    until(lambda: lab.ping("east-host", HOST, 3)[1] == 3, what="traffic again")
    lab.up("east")
    assert lab.ping("east-host", HOST, 200) == (200, 200), "what came back stays"


def gateway_daemons(server: Server) -> list[int]:
    """The charons in the namespaces of this server's gateways; they are this test's own processes."""
    found = []
    for name in namespaces():
        if name.startswith("cw" + server.node_tag) and "-gw-" in name:
            listed = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True, timeout=PATIENCE_S, check=True)
            found += [int(pid) for pid in listed.stdout.split() if command_name(pid).startswith("charon")]
    return found


def command_name(pid: str) -> str:
    """The name of a process; empty when it is gone."""
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def test_a_deleted_gateway_leaves_nothing(lab):
    """Two gateways of the API, connected to each other; with the connections nothing passes, without the gateways
    nothing of them is left, while the service goes on."""
    world, other = lab.world, "10.9.0.0/16"
    vpc = world.vpc(other)
    lab.server.lab("host", "far", "--subnet", world.subnet(vpc, "10.9.1.0/24"), "--ip", "10.9.1.100")
    gateway = world.gateway(vpc, InternetMaxBandwidthOut=100)
    mine = [{"Name": "vpc-id", "Values": [vpc]}]
    table = world.api("DescribeRouteTables", Filters=mine)["RouteTableSet"][0]["RouteTableId"]
    ends = [(lab.gateway, lab.table, "10.0.1.0/24", gateway, other), (gateway, table, other, lab.gateway, "10.0.1.0/24")]
    connections = []
    for own, own_table, near, peer, far in ends:
        route = {"DestinationCidrBlock": far, "GatewayType": "VPN", "GatewayId": own}
        world.api("CreateRoutes", RouteTableId=own_table, Routes=[route])
        connections.append((own, world.connection(
            own, world.customer_gateway(world.read_gateway(peer)["PublicIpAddress"]), RouteType="Policy",
            SecurityPolicyDatabases=[{"LocalCidrBlock": near, "RemoteCidrBlock": [far]}],
            IKEOptionsSpecification=IKE, IPSECOptionsSpecification=ESP,
        )))
    for _, connection in connections:
        until(lambda it=connection: world.read_connection(it)["NetStatus"] == "AVAILABLE", what="the tunnel")
    assert lab.ping("vpc", "10.9.1.100") == (5, 5)
    before = {name for name in namespaces_of(lab.server) if "-gw-" in name}
    for own, connection in connections:
        world.delete_connection(own, connection)
    assert lab.ping("vpc", "10.9.1.100", 5) == (5, 0), "nothing passes without a connection"
    for _, own_table, _, _, far in ends:
        world.api("DeleteRoutes", RouteTableId=own_table, Routes=[
            {"DestinationCidrBlock": far, "GatewayType": "VPN", "GatewayId": gateway if far != other else lab.gateway},
        ])
    world.delete_gateway(gateway)
    left = {name for name in namespaces_of(lab.server) if "-gw-" in name}
    assert len(before) - len(left) == 1, (before, left)
    lab.server.lab("delete", "far")
