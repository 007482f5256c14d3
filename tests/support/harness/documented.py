"""Refusals of the Alibaba API against its tables of errors: status and message of a code in an action."""

import functools
import json
import re

from harness.shape import SPECS


@functools.cache
def _rows(action: str) -> list[dict]:
    tables = json.loads((SPECS / "alibaba/constraints.json").read_text(encoding="utf-8"))
    found = []
    for part in ("vpn_actions", "around_actions_errors"):
        found += tables[part].get(action, {}).get("errors", [])
    return found


def _says(documented: str | None, message: str) -> bool:
    """`%s` stands for anything."""
    pattern = ".*".join(re.escape(part) for part in (documented or "%s").split("%s"))
    return re.fullmatch(pattern, message, re.DOTALL) is not None


def differs(action: str, code: str, status: int | None, message: str) -> str | None:
    """What is not as the action's table has it; None where it is, or where the table does not have the code."""
    rows = [row for row in _rows(action) if row["code"] == code]
    if not rows:
        return None
    if any(row["http"] in (status, status or row["http"]) and _says(row.get("message"), message) for row in rows):
        return None
    wanted = " or ".join(f"{row['http']} {row.get('message')!r}" for row in rows)
    return f"{action} {code}: {wanted} is documented, {status} {message!r} was answered"
