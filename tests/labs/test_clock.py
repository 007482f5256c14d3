"""A clock that is set by an hour, forwards and backwards, while traffic flows: the service, its keepers and the data plane
in user space see the step (libfaketime), charon and the devices do not."""

import pathlib
import time
from unittest import mock

import pytest

from harness.errors import ApiError
from harness.lab import assert_nothing_left, why_not
from harness.server import Server
from harness.sites import HOST, Lab, counted
from harness.waiting import until

LIBRARY = pathlib.Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
HOUR_S = 3600
# How long the library keeps what it has read of the file.
CACHE_S = 1

pytestmark = [
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
    pytest.mark.skipif(not LIBRARY.exists(), reason="there is no libfaketime"),
]


class Clock:
    """The clock that the service sees."""

    def __init__(self, directory: pathlib.Path):
        self.file = directory / "clock"
        self.step_s = 0
        self.set(0)

    @property
    def environment(self) -> dict[str, str]:
        """What makes a program see it."""
        return {
            "LD_PRELOAD": str(LIBRARY), "FAKETIME_TIMESTAMP_FILE": str(self.file), "FAKETIME_CACHE_DURATION": str(CACHE_S),
            # Nobody can set the monotonic clock.
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, step_s: int) -> None:
        """Steps to so many seconds beside the true time."""
        draft = self.file.with_suffix(".draft")
        draft.write_text(f"{step_s:+d}\n")
        draft.rename(self.file)
        self.step_s = step_s

    def here(self):
        """Lets this process see it too, while that lasts: clients sign with the time."""
        true, step_s = time.time, self.step_s
        return mock.patch("time.time", lambda: true() + step_s)


@pytest.fixture
def clock(tmp_path):
    """One at the true time."""
    return Clock(tmp_path)


@pytest.fixture
def lab(clock):
    """A lab whose service sees the clock."""
    server = Server(engine="linux", environment=clock.environment)
    with server:
        made = Lab(server)
        yield made
        clock.set(0)
        time.sleep(2 * CACHE_S)
        server.lab("delete")
        server.stop()
    assert_nothing_left(server)


def net_status(lab: Lab, clock: Clock) -> str:
    """What the API says of the tunnel to a client with the same clock."""
    with clock.here():
        return lab.world.read_connection(lab.connections["east"])["NetStatus"]


def is_refused(lab: Lab) -> bool:
    """Whether a client with the true time is told that its signature is too old or too new."""
    try:
        lab.world.read_connection(lab.connections["east"])
    except ApiError as error:
        assert error.code == "AuthFailure.SignatureExpire", error
        return True
    return False


@pytest.mark.parametrize("step_s", [HOUR_S, -HOUR_S], ids=["forwards", "backwards"])
def test_a_step_of_the_clock_is_not_noticed(lab, clock, step_s):
    lab.site("east", 21)
    running = lab.start_ping("east-host", HOST, 600)
    time.sleep(1)
    clock.set(step_s)
    until(lambda: is_refused(lab), what="the service sees the step")
    assert net_status(lab, clock) == "AVAILABLE"
    # What is made with the other clock comes up, too.
    with clock.here():
        lab.site("west", 22)
    assert lab.ping("west-host", HOST) == (5, 5)
    time.sleep(3)
    clock.set(0)
    until(lambda: not is_refused(lab), what="the service sees the step back")
    assert counted(running) == (600, 600), "no packet is lost"
    assert net_status(lab, clock) == "AVAILABLE"
    assert lab.ping("west-host", HOST) == (5, 5)
    # charon, which does not see the clock here, may have asked for the time of the last packet while that was another.
    time.sleep(2 * CACHE_S)
    assert lab.ping("east-host", HOST) == (5, 5)
    # The gateway still reacts: a peer that goes is noticed, and comes back.
    lab.server.lab("delete", "east")
    until(lambda: net_status(lab, clock) == "UNAVAILABLE", what="down")
    lab.site_again("east")
    until(lambda: net_status(lab, clock) == "AVAILABLE", what="up again")
