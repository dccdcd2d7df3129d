"""Shares a worker's sockets among endpoints, so that those that hang do not hold all of them.

Three shares: one for endpoints that answered last time, one for those that failed, and one for
requests that last longer than PATIENCE_SECONDS, which move there from the first share. When that is
full, the oldest request in it is ended early. So endpoints that hang hold the first share for a
moment only, even when all of them begin to hang at the same time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

PATIENCE_SECONDS = 0.5
# A request is not ended before that for want of sockets.
SHORTEST_SECONDS = 2.0
RECHECK_SECONDS = 0.1


@dataclass(eq=False)
class _Request:
    """A request under way. `timeout` ends it."""

    timeout: asyncio.Timeout
    started: float
    in_first_share: bool = True
    cut: bool = False


class Sockets:
    """The sockets of one worker. `per_host`: how many of them one host may have."""

    def __init__(self, total: int, per_host: int) -> None:
        self._first = asyncio.Semaphore(max(1, total // 2))
        self._failing = asyncio.Semaphore(max(1, total // 6))
        self._slow_places = max(1, total // 3)
        self._slow: dict[_Request, None] = {}
        self._timers: dict[_Request, asyncio.TimerHandle] = {}
        self._per_host = max(1, per_host)
        self._hosts: dict[tuple[str, bool], tuple[asyncio.Semaphore, int]] = {}

    @asynccontextmanager
    async def place(self, host: str, failing: bool) -> AsyncIterator[None]:
        """Wait for a socket, and hold it. Raises TimeoutError in the block that takes too long."""
        async with self._host_place(host, failing):
            if failing:
                async with self._failing:
                    yield
                return
            await self._first.acquire()
            async with self._limited():
                yield

    @asynccontextmanager
    async def _limited(self) -> AsyncIterator[None]:
        """Hold a place of the first share, which is taken, and later one of the slow share."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(None) as timeout:
            request = _Request(timeout, loop.time())
            timer = loop.call_later(PATIENCE_SECONDS, self._move, request)
            self._timers[request] = timer
            try:
                yield
            finally:
                self._timers.pop(request).cancel()
                if request.in_first_share:
                    self._first.release()
                else:
                    del self._slow[request]

    def _move(self, request: _Request) -> None:
        """Move a request to the slow share, or try that again when there is room."""
        loop = asyncio.get_running_loop()
        if len(self._slow) < self._slow_places:
            self._slow[request] = None
            request.in_first_share = False
            self._first.release()
            return
        oldest = next((found for found in self._slow if not found.cut), None)
        if oldest is not None and loop.time() - oldest.started >= SHORTEST_SECONDS:
            oldest.cut = True
            oldest.timeout.reschedule(loop.time())
        self._timers[request] = loop.call_later(RECHECK_SECONDS, self._move, request)

    @asynccontextmanager
    async def _host_place(self, host: str, failing: bool) -> AsyncIterator[None]:
        """Wait for a place of a host. Requests that wait for their share count, too."""
        key = (host, failing)
        semaphore, users = self._hosts.get(key) or (asyncio.Semaphore(self._per_host), 0)
        self._hosts[key] = (semaphore, users + 1)
        try:
            async with semaphore:
                yield
        finally:
            semaphore, users = self._hosts.pop(key)
            if users > 1:
                self._hosts[key] = (semaphore, users - 1)
