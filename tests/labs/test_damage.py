"""What an operator's slip of the hand takes away from a running gateway comes back by itself, without the gateway being
touched through the API: rules, addresses, links, routes, bandwidth, bridges, whole namespaces, and processes."""

import contextlib
import os
import pathlib
import re
import signal
import time

import pytest

from harness import ptrace
from harness.lab import namespaces_of, run, why_not
from harness.sites import HOST, Lab
from harness.waiting import until

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

PATIENCE_S = 90


class Parts:
    """The names of the parts of a lab's gateway."""

    def __init__(self, lab: Lab):
        names = namespaces_of(lab.server)
        self.gateway = next(name for name in names if "-gw-" in name)
        self.network = next(name for name in names if "-net-" in name)
        self.fabric = f"cw{lab.server.node_tag}-fabric"
        self.public_ip = lab.world.read_gateway(lab.gateway)["PublicIpAddress"]
        self.whole = self.at_rest()

    @staticmethod
    def links(namespace: str, prefix: str) -> list[str]:
        """The links of a namespace whose names begin so."""
        lines = run("ip", "-n", namespace, "-br", "link").splitlines()
        return [name for name in (line.split()[0].split("@")[0] for line in lines) if name.startswith(prefix)]

    def at_rest(self) -> dict[str, str]:
        """What is there when nothing changes any more."""

        def unchanged():
            before = self.picture()
            time.sleep(0.5)
            return before if before == self.picture() else None

        return until(unchanged, what="a picture that stays")

    def picture(self) -> dict[str, str]:
        """What is there, without what changes by itself."""
        gateway, network = self.gateway, self.network
        chains = run("ip", "netns", "exec", gateway, "nft", "-s", "list", "table", "inet", "causeway")
        seen = {"firewall": chains}
        for namespace in (gateway, network, self.fabric):
            lines = run("ip", "-n", namespace, "-br", "addr").replace("UNKNOWN", "UP").splitlines()
            # The hosts and sites of the lab are its own; what stands behind an @ is a number.
            own = [re.sub(r"@\S+|fe80\S+", "", line).split() for line in lines if not line.startswith(("h-", "s-"))]
            seen[f"addresses {namespace}"] = "\n".join(sorted(" ".join(words) for words in own))
            routes = run("ip", "-n", namespace, "-4", "route", "show", "table", "all").splitlines()
            ours = [line for line in routes if not line.startswith(("local", "broadcast", "203.0.113."))]
            seen[f"routes {namespace}"] = "\n".join(sorted(ours))
            rules = run("ip", "-n", namespace, "rule").splitlines()
            # 220 is charon's own, and 32767 leads nowhere.
            ours = [line for line in rules if line.split(":")[0] not in ("220", "32767")]
            seen[f"rules {namespace}"] = "\n".join(ours)
        for namespace, link in ((gateway, "private"), (network, self.links(network, "g0")[0])):
            seen[f"bandwidth {link}"] = run("tc", "-n", namespace, "qdisc", "show", "dev", link).split("refcnt")[0]
        return seen


@pytest.fixture(scope="module")
def parts(lab):
    """The parts, whose names stay the same."""
    return Parts(lab)


def whole_again(lab: Lab, parts: Parts, before: dict[str, str]) -> None:
    """Everything is as before, packets pass, and the API says so."""

    def differs() -> dict:
        try:
            now = parts.picture()
        except (AssertionError, IndexError):
            return {"not": "there"}
        return {name: (before[name], now.get(name)) for name in before if before[name] != now.get(name)}

    try:
        until(lambda: not differs(), patience_s=PATIENCE_S, what="everything as before")
    except AssertionError as error:
        raise AssertionError(f"{differs()}\n{lab.server.lines[-5:]}") from error
    try:
        until(lambda: lab.ping("east-host", HOST, 3)[1] == 3, patience_s=PATIENCE_S, what="traffic again")
    except AssertionError as error:
        site = pathlib.Path("/run/causeway") / lab.server.node_tag / "lab/east/charon.log"
        gateway = lab.server.ctl("log", lab.gateway)
        raise AssertionError(f"{error}\ngateway:\n{gateway[-6000:]}\nsite:\n{site.read_text()[-6000:]}") from error
    lab.up("east")


IN_GATEWAY = {
    "its rules": "nft flush ruleset",
    "the rules of a chain": "nft flush chain inet causeway forward",
    "a policy": "nft 'chain inet causeway forward { policy accept ; }'",
    "its traffic selectors": "nft flush set inet causeway selectors4",
    "its public leg": "ip link del public",
    "its private leg": "ip link del private",
    "a leg that is up": "ip link set private down",
    "its public address": "ip addr flush dev public",
    "its routing rules": "ip rule flush",
    "one routing rule": "ip rule del priority 82",
    "its default route": "ip route del default",
    "its routes into the network": "ip route flush table 101",
    "its forwarding": "sysctl -qw net.ipv4.ip_forward=0",
    "its bandwidth": "tc qdisc del dev private root",
    "a tunnel that is up": "ip link set TUNNEL down",
    "a tunnel's interface": "ip link del TUNNEL",
}


@pytest.mark.parametrize("what", IN_GATEWAY)
def test_a_gateway_gets_back(lab, parts, what):
    before = parts.whole
    tunnel = parts.links(parts.gateway, "ipsec")[0]
    run("ip", "netns", "exec", parts.gateway, "sh", "-c", IN_GATEWAY[what].replace("TUNNEL", tunnel))
    whole_again(lab, parts, before)


def master_of(namespace: str, link: str) -> str:
    """The bridge that a link is in."""
    return re.search(r"master (\S+)", run("ip", "-n", namespace, "link", "show", link)).group(1)


AROUND = {
    "a bridge": "ip -n {network} link del {bridge}",
    "a bridge that is up": "ip -n {network} link set {bridge} down",
    "the router's address": "ip -n {network} addr flush dev {bridge}",
    "the network's route": "ip -n {network} route del 192.168.21.0/24",
    "the bridge's port": "ip -n {network} link set {port} nomaster",
    "the bandwidth towards it": "tc -n {network} qdisc del dev {port} root",
    "the fabric's route": "ip -n {fabric} route del {public_ip}",
    "the fabric's port": "ip -n {fabric} link set {fabric_port} down",
}


@pytest.mark.parametrize("what", AROUND)
def test_what_is_around_a_gateway_gets_back(lab, parts, what):
    before = parts.whole
    names = {
        "network": parts.network, "fabric": parts.fabric, "public_ip": parts.public_ip,
        "bridge": master_of(parts.network, "h-vpc"), "port": parts.links(parts.network, "g0")[0],
        "fabric_port": parts.links(parts.fabric, "g0")[0],
    }
    run(*AROUND[what].format(**names).split())
    if what == "a bridge":
        # The host of the lab hung on it, and is the test's to bring back.
        until(lambda: names["bridge"] in parts.links(parts.network, "b-"), what="the bridge")
        run("ip", "-n", parts.network, "link", "set", "h-vpc", "master", names["bridge"])
    whole_again(lab, parts, before)


def test_a_gateways_namespace_gets_back(lab, parts):
    before = parts.whole
    run("ip", "netns", "del", parts.gateway)
    whole_again(lab, parts, before)


def test_the_fabric_gets_back(lab, parts):
    """Sites hang on the fabric as well, and are the test's to bring back."""
    before = parts.whole
    lab.server.lab("delete", "east")
    run("ip", "netns", "del", parts.fabric)
    until(lambda: parts.fabric in namespaces_of(lab.server), patience_s=PATIENCE_S, what="the fabric")
    lab.site_again("east")
    whole_again(lab, parts, before)


def descendants(pid: int) -> dict[int, str]:
    """The processes below one, with their names."""
    found = {}
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            fields = (path / "stat").read_text().rsplit(") ", 1)[1].split()
            if int(fields[1]) == pid:
                found[int(path.name)] = (path / "cmdline").read_text().replace("\0", " ")
        except (OSError, IndexError):
            continue
    return found


def name_of(pid: int) -> str:
    """The name of a process; empty when it is gone."""
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text()
    except OSError:
        return ""


def keeper_of(parts: Parts) -> int:
    """The process that keeps a gateway's instance: the parent of its charon."""
    pids = [int(pid) for pid in run("ip", "netns", "pids", parts.gateway).split()]
    charon = next(pid for pid in pids if name_of(pid).startswith("charon"))
    return int(pathlib.Path(f"/proc/{charon}/stat").read_text().rsplit(") ", 1)[1].split()[1])


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_a_data_plane_gets_back(lab, parts, sign):
    """The engine of ESP, where the kernel has none."""
    keeper = keeper_of(parts)
    below = {pid: line for pid, line in descendants(keeper).items() if "charon" not in line}
    if not below:
        pytest.skip("the kernel carries ESP")
    before = parts.whole
    for pid in below:
        # What the keeper ran for a moment only is gone.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, sign)
    until(lambda: not set(below) & set(descendants(keeper_of(parts))), patience_s=PATIENCE_S, what="another engine")
    whole_again(lab, parts, before)


@pytest.mark.skipif(ptrace.why_not() is not None, reason=str(ptrace.why_not()))
def test_a_broker_gets_back(lab, parts):
    """The thread of the keeper that charon's sockets lead to: without it charon would go on alone."""
    keeper = keeper_of(parts)
    broker = ptrace.thread_named(keeper, "uxfrm-broker")
    if broker is None:
        pytest.skip("the kernel carries ESP")
    before = parts.picture()
    charon = next(pid for pid, line in descendants(keeper).items() if "charon" in line)
    ptrace.fail_epoll_wait(broker)
    until(lambda: charon not in descendants(keeper), patience_s=PATIENCE_S, what="the end of the charon without IPsec")
    whole_again(lab, parts, before)
    assert keeper_of(parts) == keeper
    assert "the data plane ended by itself" in log_of(lab, keeper)


def log_of(lab: Lab, keeper: int) -> str:
    """What a keeper wrote down: its standard error."""
    path = pathlib.Path(f"/proc/{keeper}/fd/2").readlink()
    assert lab.server.node_tag in str(path)
    return path.read_text()


def test_a_keeper_gets_back(lab, parts):
    before = parts.whole
    keeper = keeper_of(parts)
    os.kill(keeper, signal.SIGKILL)

    def other():
        try:
            return keeper_of(parts) != keeper
        except (StopIteration, OSError):
            return False

    until(other, patience_s=PATIENCE_S, what="another keeper")
    whole_again(lab, parts, before)
