"""Keeps the Go library's maps safe: calls overlap, starts and stops of clients do not.

The library keeps its clients in maps without a lock. A start and a stop write them; every other
call reads them once, at its very start, and may then wait for WhatsApp for as long as it likes.
Go ends the process when a write meets a read. So a start or a stop waits until each call in the
library is past that reading, and calls that come meanwhile wait for it.

How a call shows that it is past it, surest first: it has returned; it has read an argument that the
library reads after the map (watched_memory.py); it has been in the library for LOOKUP_SECONDS while
a start or a stop waited for it, in short steps, so that a standstill of the process does not count.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

LOOKUP_SECONDS = 1.0
STEP_SECONDS = 0.005


class _Call:
    """A call in the library that may still read its maps."""

    def __init__(self, is_past: Callable[[], bool], seconds: float) -> None:
        self._is_past = is_past
        self._seconds_left = seconds

    def age(self, seconds: float) -> None:
        self._seconds_left -= min(seconds, STEP_SECONDS)

    def is_past_lookup(self) -> bool:
        return self._seconds_left <= 0 or self._is_past()


def _unknown() -> bool:
    return False


class LibraryLock:
    """A readers-writer lock whose readers hold it for their first moment only."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._calls: set[_Call] = set()
        self._dialling: set[_Call] = set()  # starts that read the maps again after their dial
        self._last_ticket = self._served = 0  # starts and stops take turns
        self._closed = False  # a start or a stop is under way, or next
        self._waiting_calls = 0
        self._admitted_calls = 0  # that waited for the last start or stop, and go before the next

    @contextlib.contextmanager
    def call(
        self, is_past: Callable[[], bool] = _unknown, timeout: float | None = None
    ) -> Iterator[None]:
        """Protect a call of the library. Raises TimeoutError if it may not begin in time.

        `is_past`: returns True once the call is known to have read the maps.
        """
        call = _Call(is_past, LOOKUP_SECONDS)
        with self._changed:
            self._waiting_calls += 1
            try:
                if not self._changed.wait_for(self._may_call, timeout):
                    raise TimeoutError("clients start or stop for too long")
                self._calls.add(call)
            finally:
                self._waiting_calls -= 1
                self._admitted_calls = max(0, self._admitted_calls - 1)
        try:
            yield
        finally:
            with self._changed:
                self._calls.discard(call)
                self._changed.notify_all()

    def _may_call(self) -> bool:
        return not self._closed or self._admitted_calls > 0

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Protect the start or the stop of a client."""
        with self._changed:
            self._last_ticket = ticket = self._last_ticket + 1
            self._changed.wait_for(lambda: self._served == ticket - 1)
            self._wait_until_past(self._dialling)  # Calls go on meanwhile.
            self._dialling.clear()
            self._closed = True
            self._changed.wait_for(lambda: not self._admitted_calls)
            self._wait_until_past(self._calls)
        try:
            yield
        finally:
            with self._changed:
                self._closed = False
                self._served = ticket
                self._admitted_calls = self._waiting_calls
                self._changed.notify_all()

    def _wait_until_past(self, calls: set[_Call]) -> None:
        while not all(call.is_past_lookup() for call in calls):
            began = time.monotonic()
            self._changed.wait(STEP_SECONDS)
            for call in calls:
                call.age(time.monotonic() - began)

    def hold(self, is_past: Callable[[], bool], seconds: float) -> None:
        """Make the next start or stop wait until `is_past`, or for so long. In `exclusive` only."""
        with self._changed:
            self._dialling.add(_Call(is_past, seconds))


LIBRARY = LibraryLock()
