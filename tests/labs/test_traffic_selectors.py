"""What a connection's ranges allow passes, and nothing else does: with pairs of ranges (SecurityPolicyDatabases) in
both versions of IKE, and with lists of ranges (LocalSubnet, RemoteSubnet) in one CHILD_SA. The far end is a site of
stock strongSwan with the downloaded configuration, or a gateway of the other cloud's API."""

import itertools
import json

import pytest

from harness.alibaba_sdk import NewSdk
from harness.alibaba_world import World as AlibabaWorld
from harness.lab import ESP, IKE, STRONGSWAN, why_not
from harness.server import Server
from harness.tencent_sdk import Sdk
from harness.tencent_world import World
from harness.waiting import until

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

NEAR = ["10.0.1.100", "10.0.1.101"]
PSK = "secret-1"


def host(server: Server, name: str, subnet: str, addresses: list[str]) -> str:
    """A host with several addresses."""
    server.lab("host", name, "--subnet", subnet, "--ip", addresses[0])
    give(server, name, addresses[1:])
    return name


def give(server: Server, machine: str, addresses: list[str], link: str = "eth0") -> None:
    """More addresses for a machine of the lab."""
    for address in addresses:
        server.lab("exec", machine, "--", "ip", "addr", "add", f"{address}/24", "dev", link)


def passes(server: Server, machine: str, source: str, to: str) -> bool:
    """Whether one of three pings between two addresses comes back."""
    line = f"ping -n -q -W 1 -i 0.05 -c 3 -I {source} {to} >/dev/null && echo yes || echo no"
    return server.lab("exec", machine, "--", "sh", "-c", line).strip() == "yes"


def assert_exactly(server: Server, near: str, far: str, ranges: tuple, allowed: set) -> None:
    """Exactly these pairs of addresses reach each other, whoever begins."""
    nears, fars = ranges
    seen = {pair for pair in itertools.product(nears, fars) if passes(server, near, *pair)}
    assert seen == allowed
    back = {pair for pair in itertools.product(nears, fars) if passes(server, far, pair[1], pair[0])}
    assert back == allowed


class Cloud:
    """A VPC of one API with a gateway and a host of several addresses."""

    def __init__(self, server: Server, name: str, addresses: list[str]):
        self.server = server
        self.world = World(Sdk(server))
        network = addresses[0].rsplit(".", 2)[0]
        self.vpc = self.world.vpc(f"{network}.0.0/16")
        subnet = self.world.subnet(self.vpc, f"{network}.1.0/24")
        self.gateway = self.world.gateway(self.vpc, InternetMaxBandwidthOut=100)
        mine = [{"Name": "vpc-id", "Values": [self.vpc]}]
        self.table = self.world.api("DescribeRouteTables", Filters=mine)["RouteTableSet"][0]["RouteTableId"]
        self.host = host(server, name, subnet, addresses)

    @property
    def public_ip(self) -> str:
        """The gateway's."""
        return self.world.read_gateway(self.gateway)["PublicIpAddress"]

    def route(self, far: str) -> None:
        """The network's route to a far range."""
        route = {"DestinationCidrBlock": far, "GatewayType": "VPN", "GatewayId": self.gateway}
        self.world.api("CreateRoutes", RouteTableId=self.table, Routes=[route])

    def connect(self, peer: str, pairs: dict, version: str) -> str:
        """A connection for these pairs."""
        policies = [{"LocalCidrBlock": near, "RemoteCidrBlock": fars} for near, fars in pairs.items()]
        return self.world.connection(
            self.gateway, self.world.customer_gateway(peer), RouteType="Policy", SecurityPolicyDatabases=policies,
            IKEOptionsSpecification={**IKE, "IKEVersion": version}, IPSECOptionsSpecification=ESP, PreShareKey=PSK,
        )

    def load(self, site: str, connection: str) -> str:
        """Gives a site the configuration of a connection, and gives that back."""
        text = self.world.api(
            "DownloadCustomerGatewayConfiguration", VpnGatewayId=self.gateway, VpnConnectionId=connection,
            CustomerGatewayVendor=STRONGSWAN, InterfaceName="eth0",
        )["CustomerGatewayConfiguration"]
        path = f"{self.server.data_dir}/{site}.conf"
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        self.server.lab("load", site, path)
        return text

    def up(self, connection: str) -> None:
        """Waits until all of the connection is up."""
        until(lambda: self.world.read_connection(connection)["NetStatus"] == "AVAILABLE", what=f"{connection} up")


@pytest.mark.parametrize(("version", "number"), [("IKEV1", 31), ("IKEV2", 32)])
def test_pairs_with_a_site(server, version, number):
    site, public, cidr = f"pairs{number}", f"203.0.113.{number}", f"192.168.{number}.0/24"
    # The router has an address in each range, because strongSwan's own ESP takes one as the source of its route.
    far = [f"192.168.{number}.{last}" for last in (2, 6, 10)]
    ranges = [f"192.168.{number}.{first}/30" for first in (0, 4, 8)]
    cloud = Cloud(server, f"vpc{number}", NEAR)
    server.lab("site", site, "--public-ip", public, "--cidr", cidr)
    give(server, f"{site}-host", far[1:])
    give(server, site, [f"192.168.{number}.{last}" for last in (5, 9)], "lan")
    pairs = {f"{NEAR[0]}/32": ranges[:2], f"{NEAR[1]}/32": ranges[2:]}
    cloud.route(cidr)
    connection = cloud.connect(public, pairs, version)
    assert cloud.load(site, connection).count("remote_ts") == 3, "a child for each pair"
    cloud.up(connection)
    allowed = {(NEAR[0], far[0]), (NEAR[0], far[1]), (NEAR[1], far[2])}
    assert_exactly(server, cloud.host, f"{site}-host", (NEAR, far), allowed)


def test_the_source_decides_between_sites_with_the_same_range(server):
    far, host_of_site = "192.168.60.0/24", "192.168.60.2"
    cloud = Cloud(server, "vpc60", NEAR)
    cloud.route(far)
    connections = []
    for number, near in zip((61, 62), NEAR):
        site, public = f"same{number}", f"203.0.113.{number}"
        server.lab("site", site, "--public-ip", public, "--cidr", far)
        connection = cloud.connect(public, {f"{near}/32": [far]}, "IKEV2")
        cloud.load(site, connection)
        cloud.up(connection)
        connections.append(connection)

    def reached() -> dict[str, list[str]]:
        """The near addresses that each site's host reaches, and is reached by."""
        both = [near for near in NEAR if passes(server, cloud.host, near, host_of_site)]
        sites = ("same61", "same62")
        ways = {it: [near for near in NEAR if passes(server, f"{it}-host", host_of_site, near)] for it in sites}
        assert both == sorted(itertools.chain(*ways.values()))
        return ways

    assert reached() == {"same61": [NEAR[0]], "same62": [NEAR[1]]}
    # Without the one, the other's packets go on by its route alone.
    cloud.world.api("DeleteVpnConnection", VpnGatewayId=cloud.gateway, VpnConnectionId=connections[1])
    until(lambda: reached() == {"same61": [NEAR[0]], "same62": []}, what="one connection less")


def test_lists_of_one_cloud_meet_pairs_of_the_other(server):
    """One end negotiates one CHILD_SA for all its ranges, the other one for each pair; between them all pairs pass."""
    near, far = ["10.41.1.100", "10.41.1.101", "10.41.1.102"], ["10.42.1.100", "10.42.1.101"]
    tencent = Cloud(server, "vpc41", near)
    alibaba = AlibabaWorld(NewSdk(server))
    vpc = alibaba.vpc("10.0.0.0/8")
    vswitch = alibaba.vswitch(vpc, "10.42.1.0/24")
    gateway = alibaba.gateway(vpc, vswitch)
    other = host(server, "vpc42", vswitch, far)
    public = alibaba.api("DescribeVpnGateway", VpnGatewayId=gateway)["InternetIp"]
    pairs = {f"{address}/32": [f"{it}/32" for it in far] for address in near[:2]}
    tencent.route("10.42.0.0/16")
    connection = tencent.connect(public, pairs, "IKEV2")
    customer = alibaba.customer_gateway(tencent.public_ip)
    ike = {
        "Psk": PSK, "IkeVersion": "ikev2", "IkeMode": "main", "IkeEncAlg": "aes", "IkeAuthAlg": "sha256",
        "IkePfs": "group14", "LocalId": public, "RemoteId": tencent.public_ip,
    }
    esp = {"IpsecEncAlg": "aes", "IpsecAuthAlg": "sha1", "IpsecPfs": "disabled"}
    alibaba.api(
        "CreateVpnConnection", VpnGatewayId=gateway, CustomerGatewayId=customer, EffectImmediately=True,
        LocalSubnet=",".join(f"{it}/32" for it in far), RemoteSubnet=",".join(f"{it}/32" for it in near[:2]),
        IkeConfig=json.dumps(ike), IpsecConfig=json.dumps(esp), AutoConfigRoute=True,
    )
    tencent.up(connection)
    allowed = set(itertools.product(near[:2], far))
    until(lambda: passes(server, tencent.host, near[1], far[1]), what="the last pair")
    assert_exactly(server, tencent.host, other, (near, far), allowed)
