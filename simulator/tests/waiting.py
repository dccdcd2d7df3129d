"""Waiting for a state that is reached soon."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(read: Callable[[], T], reached: Callable[[T], bool], seconds: float = 10.0) -> T:
    """Return what `read` returns as soon as it satisfies `reached`. Raises AssertionError.

    A long wait reads less often, because most reads are requests.
    """
    started_at = time.monotonic()
    while not reached(state := read()):
        waited = time.monotonic() - started_at
        assert waited < seconds, f"not reached in {seconds} s: {state}"
        time.sleep(min(0.02 + waited / 10, 0.1))
    return state
