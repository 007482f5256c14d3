"""A probe: a sound request with one thing changed, and what must come of it."""

import copy
import dataclasses

REMOVE = object()
ACCEPT = frozenset()


@dataclasses.dataclass(frozen=True)
class Probe:
    """`codes` empty: the change is allowed, and the request fares as the sound one does. Else: refused so."""

    service: str
    action: str
    name: str
    path: tuple
    value: object
    codes: frozenset = ACCEPT
    companions: tuple = ()

    @property
    def title(self) -> str:
        """As it stands in lists."""
        return f"{self.service}.{self.action}: {self.name}"

    def apply(self, sound: dict) -> dict:
        """The sound parameters with the change."""
        params = copy.deepcopy(sound)
        for path, value in (*self.companions, (self.path, self.value)):
            put(params, path, value)
        return params

    def judge(self, code: str | None, sound_code: str | None) -> bool:
        """Whether an answer with this code (None: success) is what the catalogue asks for."""
        if not self.codes:
            return code is None or code == sound_code
        return code in self.codes


def put(params: dict, path: tuple, value) -> None:
    """Sets or removes a member; makes the objects on the way; a number in a path is a list's index."""
    here = params
    for step, following in zip(path, path[1:]):
        if isinstance(step, int):
            while len(here) <= step:
                here.append([] if isinstance(following, int) else {})
            here = here[step]
        else:
            here = here.setdefault(step, [] if isinstance(following, int) else {})
    last = path[-1]
    if isinstance(last, int):
        while len(here) <= last:
            here.append(None)
        here[last] = value
    elif value is REMOVE:
        here.pop(last, None)
    else:
        here[last] = value


def text_edges(rule: dict) -> tuple[list, list]:
    """Texts that a rule allows and forbids."""
    good, bad = [], []
    shortest, longest = rule.get("minLength"), rule.get("maxLength")
    if shortest:
        good.append("a" * shortest)
        if shortest > 1:
            bad.append("a" * (shortest - 1))
    if longest:
        good.append("a" * longest)
        bad.append("a" * (longest + 1))
    bad += [prefix + "x" for prefix in rule.get("not_prefix", [])]
    bad += ["x" + part + "x" for part in rule.get("not_contains", [])]
    return good, bad


def number_edges(rule: dict) -> tuple[list, list]:
    """Numbers that a rule's bounds allow and forbid."""
    good, bad = [], []
    low, high = rule.get("min"), rule.get("max")
    if low is not None:
        good.append(low)
        if low > 0:
            bad.append(low - 1)
    if high is not None:
        good.append(high)
        bad.append(high + 1)
    return good, bad
