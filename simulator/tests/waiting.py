"""Waiting for a state that is reached soon."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(read: Callable[[], T], reached: Callable[[T], bool], seconds: float = 10.0) -> T:
    """Return what `read` returns as soon as it satisfies `reached`. Raises AssertionError."""
    deadline = time.monotonic() + seconds
    while not reached(state := read()):
        assert time.monotonic() < deadline, f"not reached in {seconds} s: {state}"
        time.sleep(0.02)
    return state
