"""Waiting for what a worker does, by reading the database: a second process gets no messages."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

from whatsapp_orgs.terminal.outcomes import Signalled

POLL_SECONDS = 0.5

T = TypeVar("T")


def wait_for(check: Callable[[], T | None], seconds: float) -> T | None:
    """Return the first result of `check` that is not None; None after so many seconds."""
    deadline = time.monotonic() + seconds
    while (found := check()) is None:
        if time.monotonic() >= deadline:
            return None
        pause()
    return found


def pause() -> None:
    """Wait a moment before the next look."""
    time.sleep(POLL_SECONDS)


@contextmanager
def signals_raise() -> Iterator[None]:
    """Raise Signalled where SIGTERM or SIGHUP (a closed window) would end the process at once."""

    def end(number: int, _frame: FrameType | None) -> None:
        raise Signalled(number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
