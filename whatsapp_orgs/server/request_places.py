"""How many requests one process works on at a time; the others wait, and not for ever.

A request that only waits for news of a connection steps aside: it keeps its thread, but no other
request waits for its place.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

# Requests that wait for a place, and how long one does.
MAX_QUEUED = 200
QUEUE_SECONDS = 10.0
# Requests that have stepped aside; further ones keep their places.
MAX_ASIDE = 200


class Busy(Exception):
    """No place came free in time. Nothing has been done."""


class RequestPlaces:
    """A number of places. The event loop uses all of it, requests' threads `aside` only."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._queue: deque[asyncio.Future[None]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self.taken = 0
        self.stepped_aside = 0

    def take_free(self) -> bool:
        """Take a place if there is one, and nobody waits for it. Returns whether there was."""
        self._loop = asyncio.get_running_loop()
        return not self._queue and self._take()

    async def wait(self) -> None:
        """Take a place when there is one. Raises Busy."""
        if len(self._queue) >= MAX_QUEUED:
            raise Busy
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
            raise Busy

    def release(self) -> None:
        """Give a place back, to whoever has waited longest."""
        with self._lock:
            self.taken -= 1
        self._grant()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Let others have the place meanwhile; coming back waits for nothing."""
        with self._lock:
            aside = self.stepped_aside < MAX_ASIDE
            self.stepped_aside += aside
            self.taken -= aside
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._grant)
        try:
            yield
        finally:
            with self._lock:
                self.stepped_aside -= aside
                self.taken += aside

    def _take(self) -> bool:
        with self._lock:
            free = self.taken < self._number
            self.taken += free
        return free

    def _grant(self) -> None:
        while self._queue and self._take():
            self._queue.popleft().set_result(None)
