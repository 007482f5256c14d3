"""Runs every probe against a server and holds the count of passing ones to the committed baseline.

`PROBES_UPDATE=1` writes a higher count; a lower one is never written.
"""

import json
import os
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import alibaba_probes  # noqa: E402
import done_actions  # noqa: E402
import tencent_probes  # noqa: E402
from alibaba_ground import Ground as AlibabaGround  # noqa: E402
from tencent_ground import Ground as TencentGround  # noqa: E402

from harness.server import NO_RATE_LIMITS, Server  # noqa: E402

BASELINE = HERE / "baseline.json"
REPORTS = HERE.parents[1] / "target"
# Probes make thousands of things on a server that is thrown away.
CONFIG = NO_RATE_LIMITS + """
[[accounts]]
id = "1000000000000001"

[accounts.quotas]
networks_per_region = 100000
subnets_per_network = 100000
routes_per_table = 100000
gateways_per_region = 100000
gateways_per_network = 100000
customer_gateways_per_region = 100000
connections_per_gateway = 100000
connections_per_customer_gateway = 100000
connections_per_pair = 100000
"""


@pytest.fixture
def server():
    """A server with large quotas and no rate limits."""
    with Server(config=CONFIG) as running:
        yield running


def run(probes_of, sound_of, ready, code_of, actions) -> tuple[int, list[str]]:
    """The count of passing probes, and a line for each other one."""
    passed, failures = 0, []
    for service, action in actions:
        sound = sound_of(service, action)
        if sound is None:
            failures.append(f"{service}.{action}: the probes know no sound request")
            continue
        ready(action)
        sound_code = code_of(service, action, sound)
        if not (sound_code is None or sound_code == "DryRunOperation" or "NotFound" in sound_code):
            # Every allowed change would meet this refusal, and pass without having been looked at.
            failures.append(f"{service}.{action}: the sound request is refused: {sound_code}")
            continue
        for probe in probes_of(service, action, sound):
            ready(action)
            code = code_of(service, action, probe.apply(sound_of(service, action)))
            if probe.judge(code, sound_code):
                passed += 1
            else:
                wanted = " or ".join(sorted(probe.codes)) or f"as the sound request ({sound_code or 'success'})"
                failures.append(f"{probe.title}: {code or 'accepted'}; wanted {wanted}")
    return passed, failures


def hold(dialect: str, passed: int, failures: list[str]) -> None:
    """Compares with the baseline, and leaves a report of what did not pass."""
    REPORTS.mkdir(exist_ok=True)
    report = REPORTS / f"probes-{dialect}.txt"
    report.write_text("\n".join(failures) + "\n", encoding="utf-8")
    baseline = json.loads(BASELINE.read_text(encoding="utf-8"))
    print(f"\n{dialect}: {passed} probes pass, {len(failures)} do not ({report}); baseline {baseline[dialect]}")
    if passed > baseline[dialect] and os.environ.get("PROBES_UPDATE"):
        baseline[dialect] = passed
        BASELINE.write_text(json.dumps(baseline, indent=2) + "\n", encoding="utf-8")
    assert passed >= baseline[dialect], f"{baseline[dialect] - passed} fewer probes pass than before; see {report}"


def test_alibaba(server):
    ground = AlibabaGround(server)
    actions = [row for row in done_actions.done("Alibaba") if row[1] in alibaba_probes.alibaba_catalog()]
    assert actions
    if ("vpc", "CreateVpnConnection") in actions:
        actions.append(("vpc", alibaba_probes.DUAL))
    passed, failures = run(
        lambda _service, action, sound: alibaba_probes.generate(action, sound),
        lambda _service, action: ground.sound(action),
        ground.ready,
        lambda _service, action, params: ground.code(action, params),
        actions,
    )
    hold("alibaba", passed, failures)


def test_tencent(server):
    ground = TencentGround(server)
    actions = done_actions.done("Tencent")
    assert actions
    passed, failures = run(tencent_probes.generate, ground.sound, ground.ready, ground.code, actions)
    hold("tencent", passed, failures)


def test_the_generators_make_probes_of_every_kind():
    """Without a server: a generator that makes nothing would hold any baseline."""
    sound = {"VpcId": "v", "Bandwidth": 10, "RegionId": "r"}
    names = [probe.name for probe in alibaba_probes.generate("CreateVpnGateway", sound)]
    for part in ("Bandwidth left out", "Bandwidth is 500", "is none of the values", "Name edge", "Name beyond", "is no boolean"):
        assert any(part in name for name in names), part
    sound = {"VpnGatewayId": "g", "CustomerGatewayId": "c", "VpnConnectionName": "n", "PreShareKey": "p"}
    names = [probe.name for probe in tencent_probes.generate("vpc", "CreateVpnConnection", sound)]
    for part in ("PreShareKey left out", "IKESaLifetimeSeconds beyond", "DhGroupName is GROUP14", "is no list"):
        assert any(part in name for name in names), part
    assert len(names) > 100
