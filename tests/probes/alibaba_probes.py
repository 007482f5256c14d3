"""Probes of the Alibaba API from specs/alibaba/catalog.json and constraints.json."""

import functools
import json

from harness.shape import SPECS, alibaba_catalog
from probe import ACCEPT, REMOVE, Probe, number_edges, text_edges

SERVICE = "Vpc"
# Not business parameters, or not of this service's world.
IGNORED = {"OwnerId", "OwnerAccount", "ResourceOwnerId", "ResourceOwnerAccount", "RegionId", "ClientToken"}
# Values that are only sold or valid together with others.
COMPANIONS = {
    ("CreateVpnGateway", "SslConnections"): ((("EnableSsl",), True),),
    ("CreateVpnGateway", "Period"): ((("InstanceChargeType",), "PREPAY"),),
    ("CreateVpnGateway", "InstanceChargeType"): ((("Period",), 1),),
    ("CreateVpnGateway", "NetworkType"): ((("Bandwidth",), 200), (("EnableSsl",), False)),
    ("CreateVpnGateway", "EnableIpsec"): ((("EnableSsl",), True),),
    ("CreateCustomerGateway", "AuthKey"): ((("Asn",), "65530"),),
}
# What the metadata names without a value that an SDK could send, or what another rule forbids.
SKIPPED = {
    ("CreateVpnConnection", "IPsecExtendInfo"), ("CreateVpnConnection", "RemoteCaCertificate"),
    # IPv6 answers the documented OperationUnsupported.Ipv6Feature; a language that nobody has is not refused.
    ("CreateVpc", "EnableIpv6"), ("ModifyVpcAttribute", "EnableIPv6"), ("ModifyVSwitchAttribute", "EnableIPv6"),
    ("DescribeVpnGatewayAvailableZones", "AcceptLanguage"),
    # Each value needs an instance of its kind.
    ("MoveVpnResourceGroup", "ResourceType"),
}
# Values that are refused here, by `specs/readings.md`.
NOT_HERE = {("CreateVpnGateway", "NetworkType", "private"): "InvalidNetworkType"}
# Marked required, but the older edition of the document leaves them out.
OPTIONAL = {("CreateVpnGateway", "InstanceChargeType")}
# Refusals that stand in the action's table, but not in the parameter's rule.
MORE_CODES = {
    "SslConnections": {"InvalidSpec.NotFound"},
    "AuthKey": {"InvalidAuthkey.Malformed"},
    "Name": {"InvalidParameter.VpnConnectionName"},
    "IpsecAuthAlg": {"NotSupportVpnConnectionParameter.IpsecAuthAlg"},
    "IpsecPfs": {"NotSupportVpnConnectionParameter.IpsecPfs"},
}
# Members of a text are looked at only when the whole is sound and switched on.
GROUND = {
    "BgpConfig": {"EnableBgp": True, "LocalAsn": 45104, "TunnelCidr": "169.254.30.0/30", "LocalBgpIp": "169.254.30.1"},
    "HealthCheckConfig": {"enable": True, "dip": "192.168.9.1", "sip": "10.1.0.9", "interval": 3, "retry": 3},
}
# The same action in its form with two tunnels, which has parameters of its own.
DUAL = "CreateVpnConnection#dual"
GHOSTS = {"vpc-": "vpc-bp1doesnotexist00000", "vsw-": "vsw-bp1doesnotexist00000", "vpn-": "vpn-bp1doesnotexist00000",
          "cgw-": "cgw-bp1doesnotexist00000", "vco-": "vco-bp1doesnotexist00000"}


@functools.cache
def constraints() -> dict:
    """Per action: parameters' rules and error rows."""
    return json.loads((SPECS / "alibaba/constraints.json").read_text(encoding="utf-8"))


def rule_of(action: str) -> dict:
    """The parameters' rules of an action; empty for actions around VPN."""
    return constraints()["vpn_actions"].get(action, {}).get("params", {})


def refusals(name: str, rule: dict) -> frozenset:
    """Codes by which a bad value may be refused: the documented ones, and the gateway's general form."""
    codes = set(rule.get("errors", []))
    for member in ("error", "not_found"):
        if rule.get(member):
            codes.add(rule[member])
    general = not codes
    codes |= MORE_CODES.get(name, set())
    if general or rule.get("type") in ("boolean", "integer", "int32"):
        codes |= {
            f"Invalid{name}", f"Invalid{name}.Malformed", "InvalidParameter", f"InvalidParameter.{name}",
            f"IllegalParam.{name}", f"Invalid{name}.ValueNotSupported",
        }
    return frozenset(codes)


def missing(name: str) -> frozenset:
    """Codes by which a required parameter left out may be refused."""
    small = name[0].lower() + name[1:]
    return frozenset(
        {f"Missing{name}", "MissingParameter", f"MissingParameter.{name}", f"MissingParam.{name}", f"MissingParam.{small}", "MissingParam"}
    )


def generate(action: str, sound: dict) -> list[Probe]:
    """Every probe of an action; `sound` are parameters that work."""
    if action == DUAL:
        return generate_dual()
    rules = rule_of(action)
    found: list[Probe] = []
    for field in alibaba_catalog()[action]["request"]:
        name = field["name"]
        rule = {"type": field["type"], **rules.get(name, {})}
        companions = COMPANIONS.get((action, name), ())
        if field["required"] and name in sound and (action, name) not in OPTIONAL:
            found.append(Probe(SERVICE, action, f"{name} left out", (name,), REMOVE, missing(name)))
        if name == "RegionId":
            found.append(Probe(SERVICE, action, "unknown RegionId", (name,), "cn-atlantis", frozenset({"InvalidRegionId.NotFound"})))
        if name in IGNORED or (action, name) in SKIPPED:
            continue
        if "json_string" in rule:
            found += json_probes(action, name, rule["json_string"], sound)
        else:
            found += list(value_probes(action, (name,), name, rule, companions))
        if name in ("Tag", "Tags") and action.startswith(("Create", "Tag")):
            found += tag_probes(action, name)
    return found


def generate_dual() -> list[Probe]:
    """Probes of the members of the first tunnel of a connection with two."""
    name = "TunnelOptionsSpecification"
    items = rule_of("CreateVpnConnection")[name]["items"]
    found = []
    for member, rule in items.items():
        if member == "RemoteCaCertificate":
            continue
        nested = {inner: each for inner, each in rule.items() if isinstance(each, dict)}
        bgp = tuple(
            ((name, index, "TunnelBgpConfig"), {"LocalAsn": 45104, "TunnelCidr": f"169.254.3{index}.0/30", "LocalBgpIp": f"169.254.3{index}.1"})
            for index in (0, 1)
        )
        companions = ((("EnableTunnelsBgp",), True), *bgp) if member == "TunnelBgpConfig" else ()
        for inner, each in nested.items() or {"": rule}.items():
            path = (name, 0, member, inner) if inner else (name, 0, member)
            if member == "Role":
                # Both tunnels master, or both slave, is no pair; each value is one of the sound request's.
                each = {**each, "enum": ["master"]}
            for probe in value_probes("CreateVpnConnection", path, inner or member, each, companions):
                codes = probe.codes
                if codes:
                    codes = codes | {f"IllegalParam.{member}", f"Invalid{name}", f"IllegalParam.{name}", f"InvalidParameter.{name}"}
                # The gateway has one number: both tunnels name it.
                same = (((name, 1, member, inner), probe.value),) if inner == "LocalAsn" else ()
                found.append(Probe(SERVICE, DUAL, probe.name, probe.path, probe.value, codes, (*companions, *same)))
    for count, word in ((1, "one tunnel"), (3, "three tunnels")):
        tunnels = [{"CustomerGatewayId": GHOSTS["cgw-"], "Role": "master"}] * count
        codes = frozenset({f"MissingParameter.{name}", f"IllegalParam.{name}", f"Invalid{name}", "InvalidParameter"})
        found.append(Probe(SERVICE, DUAL, word, (name,), tunnels, codes))
    return found


def value_probes(action: str, path: tuple, name: str, rule: dict, companions: tuple):
    """Probes of one scalar parameter."""
    label = ".".join(str(step) for step in path)
    bad_codes = refusals(name, rule)

    def probe(word: str, value, codes: frozenset):
        return Probe(SERVICE, action, f"{label} {word} {json.dumps(value, ensure_ascii=False)[:40]}", path, value, codes, companions)

    kind = rule.get("type")
    # Deletions aim at what is not there: checking them only meets the same refusal.
    dry = ACCEPT if action.startswith("Delete") else frozenset({"DryRunOperation"})
    if kind == "boolean":
        for value in rule.get("accept", ["true", "false"]):
            if (name, value) not in {("DryRun", "false"), ("DryRun", "False")}:
                yield probe("is", value, ACCEPT if name != "DryRun" else dry)
        yield probe("is no boolean", "maybe", bad_codes)
    if kind in ("integer", "int32", "int64"):
        yield probe("is no number", "abc", bad_codes)
    refused = {value: code for (of, member, value), code in NOT_HERE.items() if (of, member) == (action, name)}
    yield from enum_probes(rule, probe, bad_codes, refused)
    for edges in (number_edges(rule), text_edges(rule)):
        if kind in ("array", "object"):
            break
        for value in edges[0]:
            yield probe("edge", value, ACCEPT)
        for value in edges[1]:
            yield probe("beyond", value, bad_codes)
    ghost = GHOSTS.get(rule.get("id_prefix", ""))
    if ghost and rule.get("not_found"):
        yield probe("unknown", ghost, frozenset({rule["not_found"]}))
    if rule.get("format") == "IPv4":
        for value in ("1.2.3", "256.1.1.1", *(network.split("/")[0][:-1] + "1" for network in rule.get("not_in", []))):
            yield probe("refused", value, bad_codes)


def enum_probes(rule: dict, probe, bad_codes: frozenset, refused: dict):
    """Each value of an enumeration, and one that is none."""
    values = rule.get("enum")
    if isinstance(values, dict):
        values = sorted({value for part, given in values.items() if part.startswith("public") for value in given})
    if not values:
        return
    for value in values:
        yield probe("is", value, frozenset({refused[value]}) if value in refused else ACCEPT)
    stranger = max(values) + 1 if all(isinstance(value, int) for value in values) else "no-such-value"
    yield probe("is none of the values", stranger, bad_codes)


def json_probes(action: str, name: str, members: dict, sound: dict) -> list[Probe]:
    """Probes of a parameter that is an object in a text: each member's values and bounds."""
    found = [
        Probe(SERVICE, action, f"{name} is no object", (name,), text, frozenset({f"IllegalParam.{name}", f"Invalid{name}", f"Invalid{name}.Malformed", "InvalidParameter", f"InvalidParameter.{name}"}))
        for text in ("nonsense", "[1]")
    ]
    base = GROUND.get(name, {})
    for member, rule in members.items():
        for each in value_probes(action, (name, member), member, rule, ()):
            value = json.dumps({**base, member: each.value})
            codes = each.codes
            if codes:
                codes = codes | {f"IllegalParam.{name}", f"Invalid{name}", f"InvalidParameter.{name}", f"Invalid{name}.{member}"}
            found.append(Probe(SERVICE, action, each.name, (name,), value, codes))
    return found


def tag_probes(action: str, name: str) -> list[Probe]:
    """The rules of tags in one request."""
    key_codes = frozenset({"InvalidParameter.TagKey", "InvalidTagKey", "Forbidden.TagKeys"})
    value_codes = frozenset({"InvalidParameter.TagValue", "InvalidTagValue"})
    duplicate = frozenset({"Duplicated.TagKey", "Forbidden.TagKey.Duplicated"})
    cases = [
        ("twenty tags", [{"Key": f"k{n}", "Value": "v"} for n in range(20)], ACCEPT),
        ("twenty-one tags", [{"Key": f"k{n}", "Value": "v"} for n in range(21)], frozenset({"SizeLimitExceeded.TagNum"})),
        ("the same key twice", [{"Key": "k", "Value": "1"}, {"Key": "k", "Value": "2"}], duplicate),
        ("an empty value", [{"Key": "k", "Value": ""}], ACCEPT),
        ("the longest key", [{"Key": "k" * 64, "Value": "v"}], ACCEPT),
        ("too long a key", [{"Key": "k" * 129, "Value": "v"}], key_codes),
        ("a reserved key", [{"Key": "aliyunx", "Value": "v"}], key_codes),
        ("a reserved key, acs", [{"Key": "acs:x", "Value": "v"}], key_codes),
        ("a key with a link", [{"Key": "http://x", "Value": "v"}], key_codes),
        ("the longest value", [{"Key": "k", "Value": "v" * 128}], ACCEPT),
        ("too long a value", [{"Key": "k", "Value": "v" * 129}], value_codes),
        ("a value with a link", [{"Key": "k", "Value": "https://v"}], value_codes),
    ]
    return [Probe(SERVICE, action, f"{name}: {word}", (name,), tags, codes) for word, tags, codes in cases]
