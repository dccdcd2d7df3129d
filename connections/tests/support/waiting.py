"""Waits for a condition, with a deadline."""

import time
from collections.abc import Callable

SECONDS = 15.0


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait until a condition is true. Raises AssertionError after SECONDS."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not within {SECONDS:g} s: {what}"
        time.sleep(0.01)
