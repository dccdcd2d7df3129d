"""Limit the requests that one process handles at a time; others queue for a bounded time.

A long poll lends its slot to other requests while it waits, and keeps only its thread.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

# How many requests may queue for a slot, and for how long.
MAX_QUEUED = 200
QUEUE_SECONDS = 10.0
# How many requests may lend their slot at a time; others keep theirs.
MAX_LENT = 200


class ServerBusy(Exception):
    """No slot got free in time; the request has not been started."""


class RequestSlots:
    """A number of slots. For the event loop only, except `lend`, which any thread may use."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._queue: deque[asyncio.Future[None]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self.taken = 0
        self.lent = 0

    def try_acquire(self) -> bool:
        """Take a slot if one is free and no request queues for it. Returns whether it was taken."""
        self._loop = asyncio.get_running_loop()
        return not self._queue and self._take()

    async def wait(self) -> None:
        """Take a slot as soon as one is free. Raises ServerBusy."""
        if len(self._queue) >= MAX_QUEUED:
            raise ServerBusy
        granted = asyncio.get_running_loop().create_future()
        self._queue.append(granted)
        try:
            await asyncio.wait({granted}, timeout=QUEUE_SECONDS)
        except asyncio.CancelledError:
            if granted.done():
                self.release()
            raise
        finally:
            if not granted.done():
                self._queue.remove(granted)
        if not granted.done():
            raise ServerBusy

    def release(self) -> None:
        """Give a slot to the request that has waited longest."""
        with self._lock:
            self.taken -= 1
        self._grant()

    @contextmanager
    def lend(self) -> Iterator[None]:
        """Lend the slot to other requests. Taking it back never waits."""
        with self._lock:
            lent = self.lent < MAX_LENT
            self.lent += lent
            self.taken -= lent
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._grant)
        try:
            yield
        finally:
            with self._lock:
                self.lent -= lent
                self.taken += lent

    def _take(self) -> bool:
        with self._lock:
            free = self.taken < self._number
            self.taken += free
        return free

    def _grant(self) -> None:
        while self._queue and self._take():
            self._queue.popleft().set_result(None)
