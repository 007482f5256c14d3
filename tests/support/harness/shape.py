"""Answers against the catalogues: no unknown member, no wrong type, no missing list.

Typed clients (Go above all) fail on a number where the model has a string, and on a list that is left out.
"""

import functools
import json
import pathlib

SPECS = pathlib.Path(__file__).resolve().parents[3] / "specs"
SCALARS = {
    "string": str,
    "integer": int,
    "boolean": bool,
    "number": (int, float),
}


@functools.cache
def alibaba_catalog() -> dict:
    """Every Alibaba action of product Vpc."""
    whole = json.loads((SPECS / "alibaba/catalog.json").read_text(encoding="utf-8"))
    return {**whole["around_actions"], **whole["vpn_actions"]}


@functools.cache
def tencent_catalog() -> dict:
    """Every Tencent service."""
    return json.loads((SPECS / "tencent/catalog.json").read_text(encoding="utf-8"))["services"]


def _scalar(kind: str, value, path: str, found: list[str]) -> None:
    wanted = SCALARS.get(kind)
    if wanted is None:
        return
    if isinstance(value, bool) != (kind == "boolean") or not isinstance(value, wanted):
        found.append(f"{path}: {kind} expected, {json.dumps(value)[:60]} seen")


def _alibaba_value(field: dict, value, path: str, found: list[str]) -> None:
    kind = field.get("type")
    if kind == "object":
        if not isinstance(value, dict):
            found.append(f"{path}: object expected, {json.dumps(value)[:60]} seen")
        elif "fields" in field:
            _alibaba_object(field["fields"], value, path, found)
    elif kind == "array":
        if not isinstance(value, list):
            found.append(f"{path}: array expected, {json.dumps(value)[:60]} seen")
            return
        for index, item in enumerate(value):
            _alibaba_value(field.get("items") or {}, item, f"{path}[{index}]", found)
    else:
        _scalar(kind, value, path, found)


def _alibaba_object(fields: list[dict], value: dict, path: str, found: list[str]) -> None:
    known = {field["name"]: field for field in fields}
    for name, inner in value.items():
        if name not in known:
            found.append(f"{path}.{name}: not in the catalogue")
        elif inner is None:
            found.append(f"{path}.{name}: null")
        else:
            _alibaba_value(known[name], inner, f"{path}.{name}", found)


def alibaba(action: str, answer: dict) -> list[str]:
    """What is wrong with an answer's form."""
    found: list[str] = []
    fields = alibaba_catalog()[action]["response"]
    _alibaba_object(fields, answer, action, found)
    for field in fields:
        is_list = field["type"] == "array" or any(
            inner.get("type") == "array" for inner in field.get("fields", []) if len(field["fields"]) == 1
        )
        if is_list and field["name"] not in answer:
            found.append(f"{action}.{field['name']}: the list is missing")
    return found


def _tencent_value(field: dict, value, path: str, types: dict, found: list[str]) -> None:
    kind, of = field.get("type"), field.get("of")
    if value is None:
        if not field.get("nullable"):
            found.append(f"{path}: null")
    elif kind == "list":
        if not isinstance(value, list):
            found.append(f"{path}: list expected, {json.dumps(value)[:60]} seen")
            return
        for index, item in enumerate(value):
            inner = {"type": "object", "of": of} if of in types else {"type": of}
            _tencent_value(inner, item, f"{path}[{index}]", types, found)
    elif kind == "object":
        if not isinstance(value, dict):
            found.append(f"{path}: object expected, {json.dumps(value)[:60]} seen")
        else:
            _tencent_object(types.get(of, []), value, path, types, found)
    else:
        _scalar(kind, value, path, found)


def _tencent_object(fields: list[dict], value: dict, path: str, types: dict, found: list[str]) -> None:
    known = {field["name"]: field for field in fields}
    for name, inner in value.items():
        if name not in known:
            found.append(f"{path}.{name}: not in the catalogue")
        else:
            _tencent_value(known[name], inner, f"{path}.{name}", types, found)
    for name, field in known.items():
        if field.get("always") and name not in value:
            found.append(f"{path}.{name}: is always returned, but missing")


def tencent(service: str, action: str, response: dict) -> list[str]:
    """What is wrong with the form of the inside of `Response`."""
    found: list[str] = []
    part = tencent_catalog()[service]
    _tencent_object(part["actions"][action]["response"], response, action, part["types_out"], found)
    return found


def _unseen(fields: list[dict], answers: list, path: str, members) -> list[str]:
    """The members that none of the answers has; `members` gives those of a field, if it has any."""
    found: list[str] = []
    for field in fields:
        here = f"{path}.{field['name']}"
        seen = [answer[field["name"]] for answer in answers if isinstance(answer, dict) and field["name"] in answer]
        inner = members(field)
        if not seen:
            found.append(here)
        elif inner:
            items = [item for value in seen for item in (value if isinstance(value, list) else [value])]
            found += _unseen(inner, items, here, members)
    return found


def alibaba_unseen(action: str, answers: list[dict]) -> list[str]:
    """The members of an action's answer that none of these answers has."""
    members = lambda field: field.get("fields") or (field.get("items") or {}).get("fields")  # noqa: E731
    return _unseen(alibaba_catalog()[action]["response"], answers, action, members)


def tencent_unseen(service: str, action: str, answers: list[dict]) -> list[str]:
    """The members of an action's `Response` that none of these has."""
    part = tencent_catalog()[service]
    members = lambda field: part["types_out"].get(field.get("of"))  # noqa: E731
    return _unseen(part["actions"][action]["response"], answers, action, members)
