"""The answer of every action that changes something, against the catalogue: the right types, and no member left out.
(The suites of shapes look at those that read.)"""

import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import done_actions  # noqa: E402
from alibaba_ground import Ground as AlibabaGround  # noqa: E402
from tencent_ground import Ground as TencentGround  # noqa: E402

from harness import shape  # noqa: E402
from harness.server import NO_RATE_LIMITS, Server  # noqa: E402

READS = ("Describe", "List", "Get", "Download")
# What these answers have no reason to show: items of lists that are empty here, BGP, and what is not offered.
UNSEEN = (
    ".TagSet.", ".Tags.Tag.", ".FailedResources.", ".LocalCidrForCcn.", ".Ipv6CidrBlockSet.", ".AssistantCidrSet.",
    ".BgpConfig", ".StackType",
)


def writes(vendor: str) -> list[tuple[str, str]]:
    """The actions that are done and change something."""
    return [row for row in done_actions.done(vendor) if not row[1].startswith(READS)]


def missing(unseen: list[str]) -> list[str]:
    """What an answer should have shown."""
    return [member for member in unseen if not any(part in member for part in UNSEEN)]


@pytest.fixture(scope="module")
def grounds():
    """A server full of what the requests name."""
    with Server(config=NO_RATE_LIMITS) as server:
        yield AlibabaGround(server), TencentGround(server)


@pytest.mark.parametrize("_service, action", writes("Alibaba"))
def test_alibaba(grounds, _service, action):
    ground = grounds[0]
    ground.ready(action)
    sound = ground.sound(action)
    if action.startswith("Delete"):
        # These aim at nothing.
        assert "NotFound" in ground.code(action, sound)
        return
    sound.pop("DryRun", None)
    answer = ground.do(action, **sound)
    assert shape.alibaba(action, answer) == []
    assert missing(shape.alibaba_unseen(action, [answer])) == []


@pytest.mark.parametrize("service, action", writes("Tencent"))
def test_tencent(grounds, service, action):
    ground = grounds[1]
    ground.ready(action)
    sound = ground.sound(service, action)
    answer = ground.send(action, service, sound)
    if "Error" in answer:
        assert action.startswith("Delete") and "NotFound" in answer["Error"]["Code"], answer
        return
    assert shape.tencent(service, action, answer) == []
    assert missing(shape.tencent_unseen(service, action, [answer])) == []
