"""Waits for a condition, with a deadline."""

import asyncio
import time
from collections.abc import Callable

SECONDS = 15.0


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait until a condition is true. Raises AssertionError after SECONDS."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not within {SECONDS:g} s: {what}"
        time.sleep(0.01)


async def async_until(condition: Callable[[], bool], what: str, seconds: float = SECONDS) -> None:
    """Wait on the event loop until a condition is true. Raises AssertionError after `seconds`."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + seconds
    while not condition():
        assert clock() < deadline, f"not within {seconds:g} s: {what}"
        await asyncio.sleep(0.01)
