"""Waiting in a test: on a condition, with a deadline."""

import time
from collections.abc import Callable

SECONDS = 15.0


def until(look: Callable[[], bool], what: str) -> None:
    """Return as soon as `look` says so. Raises AssertionError when it takes too long."""
    deadline = time.monotonic() + SECONDS
    while not look():
        assert time.monotonic() < deadline, f"not within {SECONDS:g} s: {what}"
        time.sleep(0.01)
