"""The tests of the suites as texts: each with what it names (helpers and constants of its module, fixtures, methods of the
worlds), so that one can ask which action a test is about."""

import ast
import functools
import pathlib
import re

TESTS = pathlib.Path(__file__).resolve().parents[1]
WORLDS = {"alibaba": "alibaba_world.py", "tencent": "tencent_world.py"}


def named(text: str) -> set[str]:
    """The identifiers of a text."""
    return set(re.findall(r"[A-Za-z_]\w*", text))


def top_level(path: pathlib.Path) -> dict[str, str]:
    """Name and source, with decorators, of what a module defines."""
    source = path.read_text(encoding="utf-8")
    lines, found = source.splitlines(), {}
    for node in ast.parse(source).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names, first = [node.name], min([node.lineno, *(it.lineno for it in node.decorator_list)])
        elif isinstance(node, ast.Assign):
            names, first = [target.id for target in node.targets if isinstance(target, ast.Name)], node.lineno
        else:
            continue
        for name in names:
            found[name] = "\n".join(lines[first - 1 : node.end_lineno])
    return found


@functools.cache
def methods(world: str) -> dict[str, str]:
    """The methods of a world, by name."""
    source = (TESTS / "support/harness" / world).read_text(encoding="utf-8")
    lines = source.splitlines()
    classes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    found = [node for each in classes for node in each.body if isinstance(node, ast.FunctionDef)]
    return {node.name: "\n".join(lines[node.lineno - 1 : node.end_lineno]) for node in found}


def expanded(text: str, known: dict[str, str]) -> str:
    """A text with everything known that it names, and what that names."""
    seen, waiting, parts = set(), [text], []
    while waiting:
        part = waiting.pop()
        parts.append(part)
        for name in named(part) & known.keys() - seen:
            seen.add(name)
            waiting.append(known[name])
    return "\n".join(parts)


@functools.cache
def texts() -> list[str]:
    """Every test of the SDK suites."""
    found = []
    shared = top_level(TESTS / "sdk/python/conftest.py")
    for path in sorted((TESTS / "sdk/python").glob("test_*.py")):
        own = top_level(path)
        worlds = [world for cloud, world in WORLDS.items() if cloud in path.name] or list(WORLDS.values())
        # A test's own names win over the methods of the same name.
        known = {name: text for world in worlds for name, text in methods(world).items()} | shared | own
        found += [expanded(text, known) for name, text in own.items() if name.startswith("test_")]
    # A file of the Node suites is one life after the other.
    return found + [path.read_text(encoding="utf-8") for path in sorted((TESTS / "sdk/node").glob("*.test.js"))]


def expects(action: str, code: str) -> bool:
    """Whether a test that calls an action names a code."""
    return any(f'"{code}"' in text and re.search(rf"\b{action}\b", text) for text in texts())
