"""What both APIs say of a connection at each step of a far end's life: nobody there, a wrong key, the right one, dead,
back; and a connection with two tunnels that loses one, then the other."""

import contextlib
import pathlib
import re
import subprocess

import pytest

from harness.alibaba_sdk import NewSdk
from harness.alibaba_world import World as AlibabaWorld
from harness.lab import namespaces_of, why_not
from harness.server import Server, ServerFailed
from harness.sites import HOST, Lab, counted, has_tunnel
from harness.tencent_sdk import Sdk
from harness.tencent_world import World
from harness.waiting import PATIENCE_S, until

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

SITE, PUBLIC, RANGE = "late", "203.0.113.41", "192.168.41.0/24"
IKE = {"IkeVersion": "ikev2", "IkeEncAlg": "aes", "IkeAuthAlg": "sha256", "IkePfs": "group14", "Psk": "the-right-one"}
ESP = {"IpsecEncAlg": "aes", "IpsecAuthAlg": "sha256", "IpsecPfs": "group14"}


def conf(own: str, peer: str, psk: str, local: str, remote: str) -> str:
    """A device's configuration that answers and calls."""
    return f"""connections {{ cloud {{
        version = 2
        local_addrs = {own}
        remote_addrs = {peer}
        proposals = aes128-sha256-modp2048
        keyingtries = 0
        dpd_delay = 2s
        local {{ auth = psk }}
        remote {{ auth = psk
            id = {peer} }}
        children {{ net {{
            local_ts = {local}
            remote_ts = {remote}
            esp_proposals = aes128-sha256-modp2048
            start_action = start
            dpd_action = restart
        }} }}
    }} }}
    secrets {{ ike-cloud {{ secret = "{psk}" }} }}
    """


class Alibaba:
    """A gateway of the Alibaba API with a connection to the site."""

    def __init__(self, server: Server):
        self.server, self.world = server, AlibabaWorld(NewSdk(server))
        self.vpc, self.vswitch = self.world.site()
        self.gateway = self.world.gateway(self.vpc, self.vswitch)
        customer = self.world.customer_gateway(PUBLIC)
        self.connection = self.world.connection(
            self.gateway, customer, LocalSubnet="10.0.0.0/8", RemoteSubnet=RANGE, IkeConfig=IKE, IpsecConfig=ESP,
            EffectImmediately=True,
        )
        self.public = self.world.api("DescribeVpnGateway", VpnGatewayId=self.gateway)["InternetIp"]

    def said(self) -> tuple[str, str]:
        """State and status of the connection."""
        seen = self.world.api("DescribeVpnConnection", VpnConnectionId=self.connection)
        return seen["State"], seen["Status"]

    def load(self, psk: str) -> None:
        """Configures the site."""
        path = pathlib.Path(self.server.data_dir) / "late.conf"
        path.write_text(conf(PUBLIC, self.public, psk, RANGE, "10.0.0.0/8"))
        self.server.lab("load", SITE, str(path))


def test_alibabas_words(server):
    it = Alibaba(server)
    down, up = ("active", "ike_sa_not_established"), ("active", "ipsec_sa_established")
    assert it.said() == down, "nobody is there"
    server.lab("site", SITE, "--public-ip", PUBLIC, "--cidr", RANGE)
    it.load("a-wrong-one")
    assert_stays(it.said, down)
    it.load("the-right-one")
    # The gateway calls again after half a minute at most.
    until(lambda: it.said() == up, what="up with the right key")
    server.lab("delete", SITE)
    until(lambda: it.said() == down, what="down without a peer")
    server.lab("site", SITE, "--public-ip", PUBLIC, "--cidr", RANGE)
    it.load("the-right-one")
    until(lambda: it.said() == up, what="up again")
    server.lab("delete", SITE)
    it.world.clean()


def assert_stays(probe, wanted, looks: int = 40) -> None:
    """A state that does not change for a while."""
    seen = []
    until(lambda: seen.append(probe()) or len(seen) == looks, what="so many looks")
    assert set(seen) == {wanted}


def test_tencents_words(server):
    lab = Lab(server, name="tvpc")
    down, up = ("AVAILABLE", "UNAVAILABLE"), ("AVAILABLE", "AVAILABLE")

    def said() -> tuple[str, str]:
        seen = lab.world.read_connection(lab.connections["early"])
        return seen["State"], seen["NetStatus"]

    lab.site("early", 42, there=False)
    assert said() == down, "nobody is there"
    lab.site_again("early")
    until(lambda: said() == up, what="up")
    server.lab("delete", "early")
    until(lambda: said() == down, what="down without a peer")
    lab.site_again("early")
    until(lambda: said() == up, what="up again")
    server.lab("delete", "early")
    lab.world.clean()


def tunnels(world: AlibabaWorld, connection: str) -> list[str]:
    """The status of each tunnel."""
    seen = world.api("DescribeVpnConnection", VpnConnectionId=connection)
    return [tunnel["Status"] for tunnel in seen["TunnelOptionsSpecification"]["TunnelOptions"]]


def test_two_tunnels_stand_in_for_each_other(server):
    """Traffic moves to the tunnel that is left, and returns; the API names which one is down."""
    world = AlibabaWorld(NewSdk(server))
    vpc, first, second = world.dual_site()
    gateway = world.gateway(vpc, first, DisasterRecoveryVSwitchId=second)
    server.lab("host", "dual", "--subnet", first, "--ip", "10.1.0.100")
    seen = world.api("DescribeVpnGateway", VpnGatewayId=gateway)
    publics = [seen["InternetIp"], seen["DisasterRecoveryInternetIp"]]
    sites = [("one", "203.0.113.51"), ("two", "203.0.113.52")]
    options = [
        {"CustomerGatewayId": world.customer_gateway(public), "Role": role, "TunnelIkeConfig": IKE, "TunnelIpsecConfig": ESP}
        for (_, public), role in zip(sites, ("master", "slave"), strict=True)
    ]
    connection = world.connection(
        gateway, None, LocalSubnet="10.0.0.0/8", RemoteSubnet="192.168.50.0/24", AutoConfigRoute=True,
        TunnelOptionsSpecification=options,
    )
    for number, (name, public) in enumerate(sites):
        server.lab("site", name, "--public-ip", public, "--cidr", "192.168.50.0/24")
        path = pathlib.Path(server.data_dir) / f"{name}.conf"
        path.write_text(conf(public, publics[number], IKE["Psk"], "192.168.50.0/24", "10.0.0.0/8"))
        server.lab("load", name, str(path))
    up = "ipsec_sa_established"
    until(lambda: tunnels(world, connection) == [up, up], what="both up")
    network = next(name for name in namespaces_of(server) if "-net-" in name and leads(name))
    until(lambda: leads(network) is not None, what="a route into the first")
    before = leads(network)
    server.lab("delete", "one")
    until(lambda: tunnels(world, connection)[0] != up, what="the first down")
    assert tunnels(world, connection)[1] == up
    until(lambda: leads(network) not in (None, before), what="a route into the second")
    assert answered(server, "dual", "192.168.50.2") == (5, 5)
    public = sites[0][1]
    server.lab("site", "one", "--public-ip", public, "--cidr", "192.168.50.0/24")
    server.lab("load", "one", str(pathlib.Path(server.data_dir) / "one.conf"))
    until(lambda: tunnels(world, connection) == [up, up], what="both up again")
    until(lambda: has_tunnel(server, "one"), what="the site's end of the first")
    until(lambda: leads(network) == before, what="the route where it was")
    assert answered(server, "dual", "192.168.50.2") == (5, 5)
    for name in ("one", "two", "dual"):
        server.lab("delete", name)
    world.clean()


def leads(network: str) -> str | None:
    """Where a network's route to the sites leads."""
    said = subprocess.run(["ip", "-n", network, "route", "show", "192.168.50.0/24"], capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    found = re.search(r"via (\S+)", said.stdout)
    return found.group(1) if found else None


def answered(server: Server, machine: str, to: str) -> tuple[int, int]:
    """Pings sent and answered."""
    lab = Lab.__new__(Lab)
    lab.server = server
    return lab.ping(machine, to)


@pytest.fixture
def twins(server):
    """Two labs with the same addresses. All of them is gone afterwards, so that a second try finds nothing of the first."""
    labs = [Lab(server, name="twin0"), Lab(server, name="twin1")]
    yield labs
    for number, lab in enumerate(labs):
        for machine in (f"tw{number}", f"twin{number}"):
            with contextlib.suppress(ServerFailed):
                server.lab("delete", machine)
        lab.world.clean()


def test_tenants_with_the_same_ranges_do_not_meet(server, twins):
    """Two VPCs with the same addresses, each with a site with the same addresses, on one machine."""
    for number, lab in enumerate(twins):
        lab.site(f"tw{number}", 60 + number, cidr="192.168.60.0/24")
    for number, lab in enumerate(twins):
        server.lab("exec", f"tw{number}-host", "--", "sh", "-c", "ip addr add 192.0.2.1/32 dev lo")
        assert lab.ping(f"tw{number}-host", HOST) == (5, 5)
        assert lab.ping(f"twin{number}", "192.168.60.2") == (5, 5)
    # With one tunnel gone, its tenant reaches nobody: not the other one's host, which has the same address.
    gone, stays = twins
    gone.world.delete_connection(gone.gateway, gone.connections.pop("tw0"))
    assert gone.ping("tw0-host", HOST) == (5, 0)
    running = stays.start_ping("tw1-host", HOST, 100)
    server.lab("delete", "tw0")
    server.lab("delete", "twin0")
    gone.world.clean()
    assert counted(running) == (100, 100)


def test_a_gateway_is_deleted_while_it_carries(server):
    """The transfer ends, and the next gateway, whatever its address, carries another's."""
    lab = Lab(server, name="gone")
    lab.site("gs", 70)
    running = lab.start_ping("gs-host", HOST, 150)
    lab.world.delete_connection(lab.gateway, lab.connections.pop("gs"))
    # The route, which was made last.
    lab.world.undo.pop()()
    lab.world.delete_gateway(lab.gateway)
    sent, received = counted(running)
    assert sent == 150 and received < 150
    lab.gateway = lab.world.gateway(lab.vpc, InternetMaxBandwidthOut=100)
    server.lab("delete", "gs")
    lab.site("next", 71)
    assert lab.ping("next-host", HOST) == (5, 5)
    server.lab("delete", "next")
    server.lab("delete", "gone")
    lab.world.clean()


def test_a_site_takes_no_gateways_address(server):
    world = World(Sdk(server))
    gateway = world.gateway(world.site())
    public = world.read_gateway(gateway)["PublicIpAddress"]
    with pytest.raises(ServerFailed, match="is a gateway's or another site's"):
        server.lab("site", "thief", "--public-ip", public, "--cidr", "192.168.80.0/24")
    for _ in range(2):
        server.lab("site", "honest", "--public-ip", "203.0.113.80", "--cidr", "192.168.80.0/24")
    router = next(name for name in namespaces_of(server) if name.endswith("-lab-honest"))

    def inside() -> list[str]:
        listed = subprocess.run(["ip", "netns", "pids", router], capture_output=True, text=True, timeout=PATIENCE_S, check=True)
        return listed.stdout.split()

    until(lambda: len(inside()) == 1, what="one charon")
    server.lab("delete", "honest")
    world.clean()
