"""A server for each module, and the clients and worlds of both APIs on it."""

import pytest

from harness import alibaba_sdk, tencent_sdk
from harness.alibaba_world import World as AlibabaWorld
from harness.server import Server
from harness.tencent_world import Patient
from harness.tencent_world import World as TencentWorld


@pytest.fixture(scope="module")
def server():
    """A server of the module's own, on the memory engine."""
    with Server() as running:
        yield running


@pytest.fixture(scope="module")
def alibaba_clients(server):
    """The official clients, by scheme."""
    return alibaba_sdk.clients(server)


@pytest.fixture
def alibaba(alibaba_clients):
    """The newest official client."""
    return alibaba_clients["acs3"]


@pytest.fixture
def ali_world(alibaba):
    """A world that is deleted after the test."""
    world = AlibabaWorld(alibaba)
    yield world
    world.clean()


@pytest.fixture(scope="module")
def tencent_clients(server):
    """The official client in each of its manners."""
    return tencent_sdk.clients(server)


@pytest.fixture
def tencent(tencent_clients):
    """The official client as it comes; it waits where the API limits how often it may ask."""
    return Patient(tencent_clients["tc3-post"])


@pytest.fixture
def ten_world(tencent):
    """A world that is deleted after the test."""
    world = TencentWorld(tencent)
    yield world
    world.clean()
