"""Every parameter of the actions that are done is looked at in its action's file, in what that file uses, or in what all
actions share; or it stands here with a reason."""

import functools
import pathlib
import re
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
    "CreateRouteEntry NextHopList.Weight": "several next hops are refused",
    "DescribeVpcAttribute IsDefault": "the VPC that is named is shown, whether or not it is the default one",
    "DescribeRegions Product": "every region has every product; that it is given is checked for all actions alike",
    "DescribeZones Product": "every zone has every product; that it is given is checked for all actions alike",
    "DeleteRoutes Routes.GatewayType": "the next hop's id names its type",
    **{f"CreateVpnConnection IKEOptionsSpecification.{side}{what}": "read as the side's name and this"
       for side in ("Local", "Remote") for what in ("Identity", "Address", "FqdnName")},
    **{f"CreateRoutes Routes.{name}": "of a route that is there; a new one gets it from the service"
       for name in ("RouteId", "RouteItemId", "PublishedToVbc", "CreatedTime", "CdcId")},
    **{f"DeleteRoutes Routes.{name}": "no part of what names a route"
       for name in ("RouteDescription", "Enabled", "DestinationIpv6CidrBlock", "PublishedToVbc", "CreatedTime", "CdcId")},
}


@functools.cache
def sources(crate: str) -> tuple[dict[str, str], str]:
    """The sources of a dialect without its catalogue, shapes and tests: those of the actions by file, and the others."""
    actions, shared = {}, []
    for path in (CRATES / crate / "src").rglob("*.rs"):
        if "catalog" in str(path) or "test" in path.name or path.parent.name == "shapes":
            continue
        text = path.read_text(encoding="utf-8").split("mod tests {")[0]
        if path.parent.name == "actions" and path.name != "mod.rs":
            actions[path.stem] = text
        else:
            shared.append(text)
    return actions, "\n".join(shared)


def sources_of(crate: str, action: str) -> str:
    """What an action's parameters can be read by."""
    actions, shared = sources(crate)
    own = [text for text in actions.values() if f'"{action}"' in text]
    assert own, f"{action} has no file"
    used = {name for text in own for name in re.findall(r"(\w+)::", text) if name in actions}
    return "\n".join([shared, *own, *(actions[name] for name in used)])


def members(fields: list[dict], inner, prefix: str = ""):
    """(path, name) of fields and what is inside them."""
    for field in fields:
        path = prefix + field["name"]
        yield path, field["name"]
        yield from members(inner(field) or [], inner, path + ".")


def unread() -> set[str]:
    """`Action Parameter` of what no source names."""
    found = set()
    for _, action in done_actions.done("Alibaba"):
        request = alibaba_catalog().get(action, {}).get("request", [])
        inner = lambda field: field.get("fields") or (field.get("items") or {}).get("fields")  # noqa: E731
        text = sources_of("dialect-alibaba", action)
        found |= {f"{action} {path}" for path, name in members(request, inner) if f'"{name}"' not in text}
    for service, action in done_actions.done("Tencent"):
        part = tencent_catalog()[service]
        inner = lambda field: part["types_in"].get(field.get("of"))  # noqa: B023, E731
        request = part["actions"][action]["request"]
        text = sources_of("dialect-tencent", action)
        found |= {f"{action} {path}" for path, name in members(request, inner) if f'"{name}"' not in text}
    return {row for row in found if row.split(" ")[1] not in COMMON}


def test_every_parameter_is_read_or_listed():
    assert unread() == set(IGNORED)
