"""Every parameter of the actions that are done is looked at somewhere in its dialect, or stands here with a reason."""

import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import done_actions  # noqa: E402

from harness.shape import alibaba_catalog, tencent_catalog  # noqa: E402

CRATES = HERE.parents[1] / "crates"
# Parameters of every action that the gateway of the cloud looks at.
COMMON = {"OwnerId", "OwnerAccount", "ResourceOwnerId", "ResourceOwnerAccount"}
IGNORED = {
    "CreateVSwitch CidrMask": "lengths of ranges from address pools, which are not offered",
    "DeleteVpc ForceDelete": "takes along gateways of IPv4 and IPv6, of which there are none",
    "DescribeRegions ProductType": "every region has every product",
    "DescribeVpnGateway IncludeReservationData": "nobody can order renewals and upgrades",
    "DescribeVpnGateways IncludeReservationData": "nobody can order renewals and upgrades",
    "DescribeRegions Scene": "every region is in every scene",
    "DescribeZones Scene": "every zone is in every scene",
    "DescribeResourceTags CosResourceId": "of object storage, which is not offered",
    "DescribeTagKeys ShowProject": "there are no projects",
    "DescribeTags ShowProject": "there are no projects",
    "CreateVpnConnection Route.Description": "no answer shows it",
}


def sources(crate: str) -> str:
    """The sources of a dialect without its catalogue and tests."""
    paths = (CRATES / crate / "src").rglob("*.rs")
    kept = [path for path in paths if "catalog" not in str(path) and "test" not in path.name]
    return "\n".join(path.read_text(encoding="utf-8") for path in kept)


def members(fields: list[dict], inner, prefix: str = ""):
    """(path, name) of fields and what is inside them."""
    for field in fields:
        path = prefix + field["name"]
        yield path, field["name"]
        yield from members(inner(field) or [], inner, path + ".")


def unread() -> set[str]:
    """`Action Parameter` of what no source names."""
    found = set()
    text = sources("dialect-alibaba")
    for _, action in done_actions.done("Alibaba"):
        request = alibaba_catalog().get(action, {}).get("request", [])
        inner = lambda field: field.get("fields") or (field.get("items") or {}).get("fields")  # noqa: E731
        found |= {f"{action} {path}" for path, name in members(request, inner) if f'"{name}"' not in text}
    text = sources("dialect-tencent")
    for service, action in done_actions.done("Tencent"):
        part = tencent_catalog()[service]
        inner = lambda field: part["types_in"].get(field.get("of"))  # noqa: B023, E731
        request = part["actions"][action]["request"]
        found |= {f"{action} {path}" for path, name in members(request, inner) if f'"{name}"' not in text}
    return {row for row in found if row.split(" ")[1] not in COMMON}


def test_every_parameter_is_read_or_listed():
    assert unread() == set(IGNORED)
