"""What the labs share: a service with real gateways for each file, and a gateway with a site behind it."""

import pytest

from harness.lab import assert_nothing_left
from harness.server import Server
from harness.sites import Lab


@pytest.fixture(scope="module")
def server():
    """One service for all tests of a file; nothing of it may be left at the end."""
    made = Server(engine="linux")
    with made:
        yield made
        made.lab("delete")
        made.stop()
    assert_nothing_left(made)


@pytest.fixture(scope="module")
def lab(server):
    """One lab for all tests of a file: what a test breaks is whole again at its end, and troubles none after it."""
    made = Lab(server)
    made.site("east", 21)
    return made


@pytest.fixture
def own_lab():
    """A lab of a test's own, without a site, on a service of its own."""
    made = Server(engine="linux")
    with made:
        yield Lab(made)
        made.lab("delete")
        made.stop()
    assert_nothing_left(made)
