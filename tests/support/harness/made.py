"""Things made through an API for one test, and deleted in order afterwards: what both APIs' worlds share."""

import itertools
import uuid

from harness.errors import ApiError
from harness.waiting import until

_peer_numbers = itertools.count(1)


def peer_ip() -> str:
    """A device address that no other test of this process uses."""
    number = next(_peer_numbers)
    return f"52.30.{number // 250}.{number % 250 + 1}"


def unique(prefix: str) -> str:
    """A name that no other test uses."""
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def call_when_free(call, busy: tuple[str, ...], what: str):
    """Calls until the answer is none of the codes in `busy`, as clients do."""

    def attempt():
        try:
            return call() or {"RequestId": ""}
        except ApiError as error:
            if error.code in busy:
                return None
            raise

    return until(attempt, what=what)


class Made:
    """Remembers how to delete what was made through `api`."""

    def __init__(self, api):
        self.api = api
        self.undo: list = []

    @staticmethod
    def is_gone(code: str) -> bool:
        """Whether a refusal says that there is no such thing."""
        return "NotFound" in code

    def clean(self) -> None:
        """Deletes what is left, newest first; what a test deleted itself is no failure."""
        failures = []
        for step in reversed(self.undo):
            try:
                step()
            except ApiError as error:
                if not self.is_gone(error.code):
                    failures.append(str(error))
        self.undo.clear()
        assert not failures, f"left behind: {failures}"
