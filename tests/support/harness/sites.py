"""A gateway of the Tencent API with a host behind it, and customer sites that are connected to it: stock strongSwan,
set up only from what the API hands out."""

import pathlib
import re
import subprocess

from harness.lab import ESP, IKE, STRONGSWAN
from harness.server import Server, binary
from harness.tencent_sdk import Sdk
from harness.tencent_world import World
from harness.waiting import PATIENCE_S, until

HOST = "10.0.1.100"
INTERVAL_S = 0.02
# Once there was an answer, ping waits for the last one no longer than twice the longest round trip so far or the
# interval. On a busy machine answers come later than that, and would be taken for lost; so the kernel's count of echo
# replies decides, for which a second more is given. One ping at a time on a machine, therefore.
PING = r"""
replies() { awk '$1 == "Icmp:" { if (at) { print $at; exit } for (i = 2; i <= NF; i++) if ($i == "InEchoReps") at = i }' /proc/net/snmp; }
before=$(replies) count=$1
shift
ping -n -q -W 1 -c "$count" "$@" || exit
for look in 1 2 3 4 5 6 7 8 9 10; do
  came=$(($(replies) - before))
  [ "$came" -lt "$count" ] || break
  sleep 0.1
done
echo "kernel: $came"
"""


class Lab:
    """A gateway with a host behind it, and sites that are connected to it."""

    def __init__(self, server: Server, name: str = "vpc"):
        self.server = server
        self.world = World(Sdk(server))
        self.vpc = self.world.vpc()
        self.subnet = self.world.subnet(self.vpc)
        self.gateway = self.world.gateway(self.vpc, InternetMaxBandwidthOut=100)
        mine = [{"Name": "vpc-id", "Values": [self.vpc]}]
        self.table = self.world.api("DescribeRouteTables", Filters=mine)["RouteTableSet"][0]["RouteTableId"]
        server.lab("host", name, "--subnet", self.subnet, "--ip", HOST)
        self.connections: dict[str, str] = {}
        # The public address and the range of each site.
        self.places: dict[str, tuple[str, str]] = {}

    def site(self, name: str, number: int, cidr: str | None = None, there: bool = True) -> str:
        """A site, connected and up; gives the connection. One that is not `there` yet is only prepared for."""
        public, cidr = f"203.0.113.{number}", cidr or f"192.168.{number}.0/24"
        customer = self.world.customer_gateway(public)
        connection = self.world.connection(
            self.gateway, customer, RouteType="Policy", DpdEnable=1, DpdTimeout="30",
            SecurityPolicyDatabases=[{"LocalCidrBlock": "10.0.1.0/24", "RemoteCidrBlock": [cidr]}],
            IKEOptionsSpecification=IKE, IPSECOptionsSpecification=ESP,
        )
        route = {"DestinationCidrBlock": cidr, "GatewayType": "VPN", "GatewayId": self.gateway}
        self.world.api("CreateRoutes", RouteTableId=self.table, Routes=[route])
        self.world.undo.append(lambda: self.world.api("DeleteRoutes", RouteTableId=self.table, Routes=[route]))
        text = self.world.api(
            "DownloadCustomerGatewayConfiguration", VpnGatewayId=self.gateway, VpnConnectionId=connection,
            CustomerGatewayVendor=STRONGSWAN, InterfaceName="eth0",
        )["CustomerGatewayConfiguration"]
        path = pathlib.Path(self.server.data_dir) / f"{name}.conf"
        path.write_text(text)
        self.connections[name], self.places[name] = connection, (public, cidr)
        if there:
            self.site_again(name)
            self.up(name)
        return connection

    def site_again(self, name: str) -> None:
        """A site that was here before, or is prepared for."""
        self.server.lab("site", name, "--public-ip", self.places[name][0], "--cidr", self.places[name][1])
        self.server.lab("load", name, str(pathlib.Path(self.server.data_dir) / f"{name}.conf"))

    def up(self, name: str) -> None:
        """Waits until the API says that the tunnel is up, and the site has it, too."""
        connection = self.connections[name]
        until(
            lambda: self.world.read_connection(connection)["NetStatus"] == "AVAILABLE", what=f"the tunnel of {name}"
        )
        until(lambda: has_tunnel(self.server, name), what=f"{name}'s end of the tunnel")

    def ping(self, machine: str, address: str, count: int = 5, *options: str) -> tuple[int, int]:
        """Packets sent and answered."""
        return counted(self.start_ping(machine, address, count, *options))

    def exec_line(self, machine: str) -> list[str]:
        """What stands before a command that runs on a machine."""
        return [str(binary()), "lab", "--data-dir", self.server.data_dir, "exec", machine, "--"]

    def start_ping(self, machine: str, address: str, count: int, *options: str) -> subprocess.Popen:
        """A ping every INTERVAL_S, under way."""
        line = [*self.exec_line(machine), "sh", "-c", PING, "ping", str(count), "-i", str(INTERVAL_S), *options, address]
        return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def has_tunnel(server: Server, site: str) -> bool:
    """Whether a site's charon has a CHILD_SA. The end that answers a negotiation has it first; what it sends before the other
    has read its answer is lost where the other is stock strongSwan."""
    socket = pathlib.Path("/run/causeway") / server.node_tag / "lab" / site / "charon.vici"
    line = ["swanctl", "--list-sas", "--uri", f"unix://{socket}"]
    said = subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    return "INSTALLED" in said.stdout


def counted(process: subprocess.Popen) -> tuple[int, int]:
    """What a ping counted: packets sent and answered."""
    text, _ = process.communicate(timeout=PATIENCE_S)
    found = re.search(r"(\d+) packets transmitted, (\d+) received", text)
    assert found, text
    sent = int(found.group(1))
    late = re.search(r"kernel: (\d+)", text)
    return sent, min(sent, max(int(found.group(2)), int(late.group(1)) if late else 0))
