"""Every documented refusal of the actions that are done either has a test, or stands in `untested-codes.txt` with
the reason behind a `#`.

Forgetting one is thus a difference that somebody reads. `CODES_UPDATE=1` writes the file anew, and keeps the reasons.
"""

import os
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import alibaba_probes  # noqa: E402
import done_actions  # noqa: E402
import suites  # noqa: E402
import tencent_probes  # noqa: E402

from harness.shape import tencent_catalog  # noqa: E402

GOLDEN = HERE / "untested-codes.txt"
# Codes of every action alike: of the tag service, of access management, of faults.
COMMON = ("InternalError", "Forbidden", "Forbbiden", "UnauthorizedOperation", "InvalidParameterValue.Tag",
          "LimitExceeded.Tag", "UnsupportedOperation.Tag")

# A code that another action's test asks for, while this action answers otherwise.
ELSEWHERE = {("alibaba CreateVpnConnection", "VpnTask.CONFLICT"), ("alibaba DeleteVpnGateway", "TaskConflict")}


def documented() -> list[tuple[str, str]]:
    """(action, code) of every documented refusal of the VPN actions that are done."""
    rows = []
    for _, action in done_actions.done("Alibaba"):
        for row in alibaba_probes.constraints()["vpn_actions"].get(action, {}).get("errors", []):
            rows.append((f"alibaba {action}", row["code"]))
    for service, action in done_actions.done("Tencent"):
        entry = tencent_catalog()[service]["actions"][action]
        if entry.get("group") == "vpn":
            rows += [(f"tencent {action}", code) for code in entry.get("error_codes", [])]
    return sorted({(action, code) for action, code in rows if not code.startswith(COMMON)})


def probed() -> set[tuple[str, str]]:
    """(action, code) that a probe asks for alone; one of several alternatives proves nothing."""
    found = set()

    def add(action: str, probes: list) -> None:
        found.update((action, next(iter(probe.codes))) for probe in probes if len(probe.codes) == 1)

    for _, action in done_actions.done("Alibaba"):
        if action in alibaba_probes.alibaba_catalog():
            sound = {field["name"]: "x" for field in alibaba_probes.alibaba_catalog()[action]["request"]}
            add(f"alibaba {action}", alibaba_probes.generate(action, sound))
    for service, action in done_actions.done("Tencent"):
        add(f"tencent {action}", tencent_probes.generate(service, action, {}))
    return found


def listed() -> dict[str, str]:
    """The rows of the file and their reasons."""
    rows = (line.partition("#") for line in GOLDEN.read_text(encoding="utf-8").splitlines())
    return {row.strip(): reason.strip() for row, _, reason in rows}


def test_every_documented_refusal_has_a_test_or_is_listed():
    by_probes = probed()

    def is_tested(action: str, code: str) -> bool:
        if (action, code) in ELSEWHERE:
            return False
        return (action, code) in by_probes or suites.expects(action.split(" ")[1], code)

    untested = [f"{action} {code}" for action, code in documented() if not is_tested(action, code)]
    reasons = listed()
    if os.environ.get("CODES_UPDATE"):
        width = max(map(len, untested))
        lines = [f"{row:{width}} # {reasons.get(row, '')}".rstrip() for row in untested]
        GOLDEN.write_text("\n".join(lines) + "\n", encoding="utf-8")
        reasons = listed()
    assert untested == list(reasons), "run with CODES_UPDATE=1 and read the difference"
    assert not [row for row, reason in reasons.items() if not reason], "each row says why nothing tests it"
