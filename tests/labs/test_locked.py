"""A gateway whose owner has no funds carries nothing, without losing what it is; paid for, it carries again."""

import pytest

from harness.lab import namespaces_of, why_not
from harness.server import NO_RATE_LIMITS, Server
from harness.sites import HOST, Lab
from harness.waiting import until

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

BROKE = NO_RATE_LIMITS + '[[accounts]]\nid = "1000000000000001"\nsolvent = false\n'


@pytest.fixture
def lab(own_lab):
    """A lab of a test's own."""
    return own_lab


def restart(server: Server, config: str) -> None:
    """The service with another configuration; its gateways go on meanwhile."""
    server.kill()
    server.config = config
    server.start()


def said(lab: Lab) -> tuple[str, str]:
    """What the API says of the gateway and of its tunnel."""
    tunnel = lab.world.read_connection(lab.connections["east"])
    return lab.world.read_gateway(lab.gateway)["RestrictState"], tunnel["NetStatus"]


def test_traffic_stops_while_a_gateway_is_locked(lab):
    lab.site("east", 21)
    assert lab.ping("east-host", HOST) == (5, 5)
    address, parts = lab.world.read_gateway(lab.gateway)["PublicIpAddress"], sorted(namespaces_of(lab.server))
    for _ in range(2):
        restart(lab.server, BROKE)
        until(lambda: said(lab) == ("PROTECTIVELY_ISOLATED", "UNAVAILABLE"), what="locked, and down")
        assert lab.ping("east-host", HOST, 20) == (20, 0), "from the site"
        assert lab.ping("vpc", "192.168.21.2", 20) == (20, 0), "from the VPC"
        seen = lab.world.read_gateway(lab.gateway)
        assert (seen["PublicIpAddress"], seen["State"]) == (address, "AVAILABLE")
        assert sorted(namespaces_of(lab.server)) == parts, "its parts stay"
        restart(lab.server, NO_RATE_LIMITS)
        until(lambda: said(lab) == ("NORMAL", "AVAILABLE"), what="unlocked, and up")
        until(lambda: lab.ping("east-host", HOST) == (5, 5), what="traffic from the site")
        assert lab.ping("vpc", "192.168.21.2") == (5, 5)
