"""Probes of the Tencent API from specs/tencent/catalog.json and constraints.yaml."""

import functools

import yaml

from harness.shape import SPECS, tencent_catalog
from probe import ACCEPT, REMOVE, Probe

MISSING = frozenset({"MissingParameter", "InvalidParameterValue.Empty"})
WRONG_TYPE = frozenset({"InvalidParameter", "InvalidParameterValue", "InvalidParameter.FilterNotDict", "InvalidParameter.FilterValuesNotList", "InvalidParameterValue.Malformed"})
BAD_VALUE = frozenset({"InvalidParameterValue", "InvalidParameterValue.Range", "InvalidParameterValue.Malformed"})
TOO_LONG = frozenset({"InvalidParameterValue.TooLong"})
STRANGERS = {"string": {"no": "text"}, "integer": "many", "boolean": "perhaps", "list": "text", "object": "text", "number": "many"}
# Values that are only valid together with others.
COMPANIONS = {
    ("CreateVpnGateway", "MaxConnection"): ((("Type",), "SSL"),),
    ("CreateVpnGateway", "InstanceChargeType"): ((("InstanceChargePrepaid",), {"Period": 1}),),
    ("CreateVpnGateway", "InstanceChargePrepaid.Period"): ((("InstanceChargeType",), "PREPAID"),),
    ("CreateVpnGateway", "InstanceChargePrepaid.RenewFlag"): (
        (("InstanceChargeType",), "PREPAID"), (("InstanceChargePrepaid", "Period"), 1),
    ),
    ("CreateVpnConnection", "Route.Priority"): ((("Route", "DestinationCidrBlock"), "192.168.9.0/24"),),
    ("CreateVpnConnection", "IKEOptionsSpecification.LocalIdentity"): (
        (("IKEOptionsSpecification", "LocalFqdnName"), "cloud.example"),
    ),
    ("CreateVpnConnection", "IKEOptionsSpecification.RemoteIdentity"): (
        (("IKEOptionsSpecification", "RemoteFqdnName"), "branch.example"),
    ),
}
# Valid by the document, but not on the gateway that the sound request names.
NOT_HERE = {
    ("CreateVpc", "StackType", "IPv6Only"),
    ("CreateVpnGateway", "Type", "CCN"), ("CreateVpnGateway", "Type", "SSL_CCN"), ("CreateVpnGateway", "IpStack", "6in4"),
    ("CreateVpnGateway", "IpStack", "6in6"), ("CreateVpnGateway", "IpStack", "4in6"),
    ("CreateVpnConnection", "RouteType", "Bgp"), ("CreateVpnConnection", "RouteType", "Policy"),
    ("CreateVpnConnection", "RouteType", "STATIC"),
}
# Objects whose rules stand in a part of their own.
NESTED_RULES = {"CreateVpnConnection": ("IKEOptionsSpecification", "IPSECOptionsSpecification")}


@functools.cache
def constraints() -> dict:
    """The whole file."""
    return yaml.safe_load((SPECS / "tencent/constraints.yaml").read_text(encoding="utf-8"))


def rules_of(action: str) -> dict:
    """The parameters' rules of an action."""
    found = dict((constraints()["actions"].get(action) or {}).get("params") or {})
    for part in NESTED_RULES.get(action, ()):
        found[part] = constraints()["ike_ipsec"][part]
    return found


def generate(service: str, action: str, sound: dict) -> list[Probe]:
    """Every probe of an action; `sound` are parameters that work."""
    part = tencent_catalog()[service]
    fields = part["actions"][action]["request"]
    found = [Probe(service, action, "a parameter that is none", ("NoSuchParameter",), "x", frozenset({"UnknownParameter"}))]
    found += list(form_probes(service, action, fields, part["types_in"], (), sound))
    found += list(rule_probes(service, action, rules_of(action), ()))
    found += list(list_probes(service, action, {field["name"] for field in fields}))
    return found


def form_probes(service, action, fields, types, path, sound):
    """Required parameters left out, and wrong types, into nested objects."""
    for field in fields:
        name, kind, of = field["name"], field["type"], field.get("of")
        here = (*path, name)
        label = ".".join(str(step) for step in here)
        present = reach(sound, here)
        if field.get("required") and present:
            yield Probe(service, action, f"{label} left out", here, REMOVE, MISSING)
        if not path or present:
            yield Probe(service, action, f"{label} is no {kind}", here, STRANGERS[kind], WRONG_TYPE)
        if of in types and present:
            inner = (*here, 0) if kind == "list" else here
            if len(here) < 4:
                yield from form_probes(service, action, types[of], types, inner, sound)


def reach(params, path) -> bool:
    """Whether the parameters have this member."""
    for step in path:
        try:
            params = params[step]
        except (KeyError, IndexError, TypeError):
            return False
    return True


def rule_probes(service, action, rules, path):
    """Enumerations, ranges and lengths."""
    for name, rule in rules.items():
        if not isinstance(rule, dict):
            continue
        here = (*path, name)
        label = ".".join(here)
        nested = {key: inner for key, inner in rule.items() if key[:1].isupper() and isinstance(inner, dict)}
        if nested:
            yield from rule_probes(service, action, nested, here)
        companions = COMPANIONS.get((action, label), ())

        def probe(word, value, codes):
            return Probe(service, action, f"{label} {word} {str(value)[:30]}", here, value, codes, companions)

        yield from value_probes(action, name, rule, probe)


def value_probes(action, name, rule, probe):
    """Probes of one parameter's rule."""
    values = [value for value in rule.get("enum", []) or [] if (action, name, value) not in NOT_HERE]
    if isinstance(rule.get("enum"), list) and values:
        for value in values:
            yield probe("is", value, ACCEPT)
        stranger = max(values) + 1 if all(isinstance(value, int) for value in values) else "NO-SUCH-VALUE"
        yield probe("is none of the values", stranger, BAD_VALUE)
    bounds = rule.get("range")
    if isinstance(bounds, list):
        for value in bounds:
            yield probe("edge", value, ACCEPT)
        yield probe("beyond", bounds[0] - 1, BAD_VALUE)
        yield probe("beyond", bounds[1] + 1, BAD_VALUE)
    for value in rule.get("excluded", []) or []:
        yield probe("excluded", value, BAD_VALUE)
    longest = rule.get("max_bytes") or rule.get("max_chars")
    if longest:
        yield probe("longest", "a" * longest, ACCEPT)
        yield probe("too long", "a" * (longest + 1), TOO_LONG)
    if rule.get("max_bytes"):
        yield probe("too long in bytes", "网" * (rule["max_bytes"] // 3 + 1), TOO_LONG)


def list_probes(service, action, names):
    """Paging and filters."""
    text = action in constraints()["common"]["pagination"]["string_actions"]
    if {"Offset", "Limit"} <= names and service == "vpc":
        for value in (1, 100):
            yield Probe(service, action, f"Limit {value}", ("Limit",), str(value) if text else value)
        yield Probe(service, action, "Limit 101", ("Limit",), "101" if text else 101, BAD_VALUE)
        yield Probe(service, action, "Offset beyond the end", ("Offset",), "100000" if text else 100000)
    rules = constraints()["actions"].get(action) or {}
    for name in rules.get("filters", []) if "Filters" in names else []:
        if not name.startswith(("tag:", "next-hop-type")):
            value = "true" if name in ("is-default", "association.main") else "x-00000000"
            yield Probe(service, action, f"filter {name}", ("Filters",), [{"Name": name, "Values": [value]}])
    if "Filters" in names and service == "vpc":
        bad = frozenset({"InvalidParameter.FilterInvalidKey"})
        yield Probe(service, action, "filter that is none", ("Filters",), [{"Name": "no-such", "Values": ["x"]}], bad)
        yield Probe(service, action, "filter without values", ("Filters",), [{"Name": "vpc-id"}], MISSING | WRONG_TYPE | {"InvalidParameter.FilterMissParameter"})
