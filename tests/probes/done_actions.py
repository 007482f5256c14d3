"""The actions that the server carries out, from docs/coverage.md, which is made from its code."""

import pathlib
import re

TABLE = pathlib.Path(__file__).resolve().parents[2] / "docs/coverage.md"


def done(vendor: str) -> list[tuple[str, str]]:
    """(service, action) of every action that is carried out; `vendor` is the heading's first word."""
    text = TABLE.read_text(encoding="utf-8")
    section = re.split(r"^## ", text, flags=re.MULTILINE)
    rows = next(part for part in section if part.startswith(vendor))
    return re.findall(r"^\| (\S+) \| (\S+) \| done \|$", rows, flags=re.MULTILINE)
