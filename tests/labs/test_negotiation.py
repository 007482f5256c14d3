"""Who starts a negotiation, and when: at once, by the first packet, or only the peer. Between gateways of both APIs, in
both versions of IKE, and with a device that only answers."""

import pathlib
import re
import time

import pytest

from harness.alibaba_sdk import NewSdk
from harness.alibaba_world import World as AlibabaWorld
from harness.lab import ESP, IKE, namespaces_of, run, why_not
from harness.server import Server
from harness.sites import counted, Lab
from harness.tencent_sdk import Sdk
from harness.tencent_world import World
from harness.waiting import until

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

PSK = "secret-1"
# In which a negotiation that nobody should start would be over.
A_WHILE_S = 3
# How many of 100 pings come back at least, the first of which start a negotiation.
ENOUGH = 50


class Gateway:
    """A gateway with a host behind it, of either API."""

    def __init__(self, server: Server, number: int):
        self.server, self.host, self.address = server, f"n{number}", f"10.{number}.1.100"
        self.range = f"10.{number}.0.0/16"
        self.public = ""
        # The customer gateways by address; there is one for each.
        self.peers: dict[str, str] = {}

    def peer(self, address: str) -> str:
        """The customer gateway for an address."""
        if address not in self.peers:
            self.peers[address] = self.world.customer_gateway(address)
        return self.peers[address]

    def ping(self, other: "Gateway", count: int = 100) -> tuple[int, int]:
        """Pings from this gateway's host to another's, sent and answered."""
        lab = Lab.__new__(Lab)
        lab.server = self.server
        return counted(lab.start_ping(self.host, other.address, count))

    def ike_packets(self) -> int:
        """How many packets of IKE the gateway has sent."""
        for name in namespaces_of(self.server):
            if "-gw-" in name and f" {self.public}/" in run("ip", "-n", name, "-br", "addr"):
                rules = run("ip", "netns", "exec", name, "nft", "list", "chain", "inet", "causeway", "output")
                found = re.findall(r'counter packets (\d+) bytes \d+ accept comment "out-ike', rules)
                assert len(found) == 2, rules
                return sum(map(int, found))
        raise AssertionError(f"no gateway has {self.public}")


class Tencent(Gateway):
    """One of the Tencent API."""

    def __init__(self, server: Server, number: int):
        super().__init__(server, number)
        self.world = World(Sdk(server))
        self.vpc = self.world.vpc(self.range)
        subnet = self.world.subnet(self.vpc, f"10.{number}.1.0/24")
        self.gateway = self.world.gateway(self.vpc, InternetMaxBandwidthOut=100)
        self.public = self.world.read_gateway(self.gateway)["PublicIpAddress"]
        server.lab("host", self.host, "--subnet", subnet, "--ip", self.address)

    def connect(self, peer: str, far: str, version: int, start: str, halves: bool = False) -> None:
        """A connection; with `halves` for each half of the own range by itself."""
        mine = [{"Name": "vpc-id", "Values": [self.vpc]}]
        table = self.world.api("DescribeRouteTables", Filters=mine)["RouteTableSet"][0]["RouteTableId"]
        route = {"DestinationCidrBlock": far, "GatewayType": "VPN", "GatewayId": self.gateway}
        self.world.api("CreateRoutes", RouteTableId=table, Routes=[route])
        self.world.undo.append(lambda: self.world.api("DeleteRoutes", RouteTableId=table, Routes=[route]))
        near = self.range.replace(".0.0/16", "")
        ranges = [f"{near}.0.0/17", f"{near}.128.0/17"] if halves else [self.range]
        self.connection = self.world.connection(
            self.gateway, self.peer(peer), RouteType="Policy", NegotiationType=start,
            SecurityPolicyDatabases=[{"LocalCidrBlock": it, "RemoteCidrBlock": [far]} for it in ranges],
            IKEOptionsSpecification={**IKE, "IKEVersion": f"IKEV{version}"}, IPSECOptionsSpecification=ESP,
            PreShareKey=PSK, DpdEnable=1,
        )

    def said(self) -> str:
        """What the API says of the tunnel; that the connection itself is AVAILABLE is another matter."""
        seen = self.world.read_connection(self.connection)
        assert seen["State"] == "AVAILABLE"
        return {"UNAVAILABLE": "down", "AVAILABLE": "up"}[seen["NetStatus"]]


class Alibaba(Gateway):
    """One of the Alibaba API."""

    def __init__(self, server: Server, number: int):
        super().__init__(server, number)
        self.world = AlibabaWorld(NewSdk(server))
        vpc = self.world.vpc(self.range)
        vswitch = self.world.vswitch(vpc, f"10.{number}.1.0/24")
        self.gateway = self.world.gateway(vpc, vswitch)
        self.public = self.world.api("DescribeVpnGateway", VpnGatewayId=self.gateway)["InternetIp"]
        server.lab("host", self.host, "--subnet", vswitch, "--ip", self.address)

    def connect(self, peer: str, far: str, version: int, start: dict, halves: bool = False) -> None:
        """A connection; with `halves` for each half of the far range."""
        ike = {"Psk": PSK, "IkeVersion": f"ikev{version}", "IkeEncAlg": "aes", "IkeAuthAlg": "sha256", "IkePfs": "group14"}
        esp = {"IpsecEncAlg": "aes", "IpsecAuthAlg": "sha1", "IpsecPfs": "disabled"}
        base = far.replace(".0.0/16", "")
        remote = f"{base}.0.0/17,{base}.128.0/17" if halves else far
        self.connection = self.world.connection(
            self.gateway, self.peer(peer), LocalSubnet=self.range, RemoteSubnet=remote,
            IkeConfig=ike, IpsecConfig=esp, AutoConfigRoute=True, **start,
        )

    def said(self) -> str:
        """What the API says of the tunnel."""
        seen = self.world.api("DescribeVpnConnection", VpnConnectionId=self.connection)
        assert seen["State"] == "active"
        return {"ike_sa_not_established": "down", "ipsec_sa_established": "up"}.get(seen["Status"], seen["Status"])


@pytest.fixture
def ends(server):
    """A gateway of each API."""
    made = Tencent(server, 51), Alibaba(server, 52)
    yield made
    for gateway in made:
        server.lab("delete", gateway.host)
        gateway.world.clean()


def assert_silent(*gateways: Gateway) -> None:
    """Nothing is up, and nobody has tried."""
    time.sleep(A_WHILE_S)
    assert [gateway.said() for gateway in gateways] == ["down"] * len(gateways)
    assert [gateway.ike_packets() for gateway in gateways] == [0] * len(gateways)


def assert_up(*gateways: Gateway) -> None:
    """Both APIs say so."""
    until(lambda: [gateway.said() for gateway in gateways] == ["up"] * len(gateways), what="both up")


@pytest.mark.parametrize("halves", [False, True], ids=["one-range", "two-ranges"])
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("first", ["tencent", "alibaba"])
def test_the_first_packet_starts_it(ends, first, version, halves):
    """Without `EffectImmediately` (false by default) and with flowTrigger, whichever host sends first."""
    tencent, alibaba = ends
    tencent.connect(alibaba.public, alibaba.range, version, "flowTrigger", halves)
    alibaba.connect(tencent.public, tencent.range, version, {}, halves)
    assert_silent(tencent, alibaba)
    here, there = (tencent, alibaba) if first == "tencent" else (alibaba, tencent)
    sent, received = here.ping(there)
    assert sent == 100 and received >= ENOUGH
    assert_up(tencent, alibaba)
    assert there.ping(here, 5) == (5, 5)


def test_one_that_waits_for_its_peer_is_not_started_by_traffic(ends):
    tencent, alibaba = ends
    tencent.connect(alibaba.public, alibaba.range, 2, "passive")
    alibaba.connect(tencent.public, tencent.range, 2, {"EffectImmediately": False})
    assert tencent.ping(alibaba, 20) == (20, 0)
    assert_silent(tencent, alibaba)
    assert alibaba.ping(tencent)[1] >= ENOUGH
    assert_up(tencent, alibaba)


@pytest.mark.parametrize(("tencents", "alibabas"), [("active", False), ("passive", True), ("flowTrigger", True)])
def test_one_that_starts_at_once_needs_no_traffic(ends, tencents, alibabas):
    tencent, alibaba = ends
    tencent.connect(alibaba.public, alibaba.range, 2, tencents)
    alibaba.connect(tencent.public, tencent.range, 2, {"EffectImmediately": alibabas})
    assert_up(tencent, alibaba)
    assert tencent.ping(alibaba, 5) == (5, 5)


def test_a_deleted_peer_is_called_again_when_there_is_traffic(ends):
    """The far connection is deleted and made anew: the near one is down meanwhile, and says so."""
    tencent, alibaba = ends
    tencent.connect(alibaba.public, alibaba.range, 2, "flowTrigger")
    alibaba.connect(tencent.public, tencent.range, 2, {})
    assert tencent.ping(alibaba)[1] >= ENOUGH
    assert_up(tencent, alibaba)
    alibaba.world.delete_connection(alibaba.connection, alibaba.gateway)
    until(lambda: tencent.said() == "down", what="down")
    alibaba.connect(tencent.public, tencent.range, 2, {})
    before = tencent.ike_packets(), alibaba.ike_packets()
    time.sleep(A_WHILE_S)
    assert (tencent.ike_packets(), alibaba.ike_packets()) == before
    assert tencent.ping(alibaba)[1] >= ENOUGH
    assert_up(tencent, alibaba)


def test_a_control_plane_that_is_killed_leaves_the_traps(ends):
    tencent, alibaba = ends
    tencent.connect(alibaba.public, alibaba.range, 2, "flowTrigger")
    alibaba.connect(tencent.public, tencent.range, 2, {})
    tencent.server.kill()
    assert tencent.ping(alibaba)[1] >= ENOUGH
    tencent.server.start()
    assert_up(tencent, alibaba)


def device(own: str, peer: str, near: str, far: str) -> str:
    """A device's configuration that answers and never calls."""
    return f"""connections {{ cloud {{
        version = 2
        local_addrs = {own}
        remote_addrs = {peer}
        proposals = aes128-sha256-modp2048
        local {{ auth = psk }}
        remote {{ auth = psk
            id = {peer} }}
        children {{ net {{
            local_ts = {near}
            remote_ts = {far}
            esp_proposals = aes128-sha1
        }} }}
    }} }}
    secrets {{ ike-cloud {{ secret = "{PSK}" }} }}
    """


def test_a_device_that_only_answers_is_called_by_traffic(server):
    public, cidr = "203.0.113.53", "192.168.53.0/24"
    alibaba = Alibaba(server, 54)
    server.lab("site", "answers", "--public-ip", public, "--cidr", cidr)
    path = pathlib.Path(server.data_dir) / "answers.conf"
    path.write_text(device(public, alibaba.public, cidr, alibaba.range))
    server.lab("load", "answers", str(path))
    alibaba.connect(public, cidr, 2, {})
    assert_silent(alibaba)
    site = Gateway(server, 0)
    site.host, site.address = "answers-host", "192.168.53.2"
    assert alibaba.ping(site)[1] >= ENOUGH
    assert_up(alibaba)
    assert site.ping(alibaba, 5) == (5, 5)
    assert "creating acquire job for policy" in server.ctl("log", alibaba.gateway)
    # A device that is away is noticed, and called again by the first packets after it is back.
    server.lab("delete", "answers")
    until(lambda: alibaba.said() == "down", what="down without a peer")
    server.lab("site", "answers", "--public-ip", public, "--cidr", cidr)
    server.lab("load", "answers", str(path))
    time.sleep(A_WHILE_S)
    assert alibaba.said() == "down"
    assert alibaba.ping(site, 200)[1] >= ENOUGH
    assert_up(alibaba)
    server.lab("delete", "answers")
    server.lab("delete", alibaba.host)
    alibaba.world.clean()
