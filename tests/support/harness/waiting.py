"""Waiting for what the service does in the background."""

import time

# The memory engine needs milliseconds, the Linux engine a second; on a busy machine it may be many times that. This ends
# only what would never end: no test waits for it in vain, so that it may be long.
PATIENCE_S = 180
STEP_S = 0.06


def until(probe, patience_s: float = PATIENCE_S, what: str = "the condition"):
    """Calls `probe` until it gives something true, and gives that; fails after `patience_s`."""
    deadline = time.monotonic() + patience_s
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {patience_s} s; last seen: {found!r}")
        time.sleep(STEP_S)
