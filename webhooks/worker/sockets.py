"""Shares a worker's sockets among endpoints, so that those that hang do not hold all of them.

Three shares: one for endpoints that answered last time, one for those that did not answer in time,
and one for requests that last longer than PATIENCE_SECONDS, which move there from the first share.
Where others wait for a place, the oldest request of the second and the third share is ended early.
So endpoints that hang hold the first share for a moment only, even when all begin to hang at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

PATIENCE_SECONDS = 0.5
# A request is not ended before that for want of sockets.
SHORTEST_SECONDS = 2.0
RECHECK_SECONDS = 0.1
# A timer that is late shows a busy process, in which answers are late, too: so many times as much.
LATE_FACTOR = 3.0


@dataclass(eq=False)
class _Request:
    """A request under way. `timeout` ends it; `timer` looks at it again, at `look_at`."""

    timeout: asyncio.Timeout
    started: float
    look_at: float = 0.0
    timer: asyncio.TimerHandle | None = None
    is_slow: bool = False
    is_ended: bool = False


class Sockets:
    """The sockets of one worker. `per_host`: how many of them one host may have."""

    def __init__(self, total: int, per_host: int) -> None:
        self._first = asyncio.Semaphore(max(1, total // 2))
        self._failing = asyncio.Semaphore(max(1, total // 6))
        self._failing_waits = 0
        self._slow_places = max(1, total // 3)
        self._slow: dict[_Request, None] = {}
        self._per_host = max(1, per_host)
        self._hosts: dict[tuple[str, bool], tuple[asyncio.Semaphore, int]] = {}

    @asynccontextmanager
    async def place(self, host: str, failing: bool) -> AsyncIterator[None]:
        """Wait for a socket, and hold it. Raises TimeoutError in the block that takes too long.

        `failing`: whether the endpoint did not answer in time before.
        """
        async with self._host_place(host, failing):
            share = self._failing_place() if failing else self._first_place()
            async with share:
                yield

    @asynccontextmanager
    async def _first_place(self) -> AsyncIterator[None]:
        """Hold a place of the first share, and later one of the slow share."""
        await self._first.acquire()
        async with asyncio.timeout(None) as timeout:
            request = _Request(timeout, _now())
            self._look_later(request, PATIENCE_SECONDS, self._move)
            try:
                yield
            finally:
                _forget(request)
                if request.is_slow:
                    del self._slow[request]
                else:
                    self._first.release()

    @asynccontextmanager
    async def _failing_place(self) -> AsyncIterator[None]:
        """Hold a place of the share of those that did not answer in time."""
        self._failing_waits += 1
        try:
            await self._failing.acquire()
        finally:
            self._failing_waits -= 1
        async with asyncio.timeout(None) as timeout:
            request = _Request(timeout, _now())
            self._look_later(request, SHORTEST_SECONDS, self._end_if_others_wait)
            try:
                yield
            finally:
                _forget(request)
                self._failing.release()

    def _move(self, request: _Request) -> None:
        """Move a request to the slow share, or try that again when there is room."""
        if len(self._slow) < self._slow_places:
            self._slow[request] = None
            request.is_slow = True
            self._first.release()
            return
        oldest = next((found for found in self._slow if not found.is_ended), None)
        if oldest is not None:
            _end(oldest, _lateness(request))
        self._look_later(request, RECHECK_SECONDS, self._move)

    def _end_if_others_wait(self, request: _Request) -> None:
        if self._failing_waits:
            _end(request, _lateness(request))
        if not request.is_ended:
            self._look_later(request, RECHECK_SECONDS, self._end_if_others_wait)

    def _look_later(
        self, request: _Request, seconds: float, look: Callable[[_Request], None]
    ) -> None:
        loop = asyncio.get_running_loop()
        request.look_at = loop.time() + seconds
        request.timer = loop.call_at(request.look_at, look, request)

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


def _now() -> float:
    return asyncio.get_running_loop().time()


def _lateness(request: _Request) -> float:
    """Return how many seconds too late this look at a request is."""
    return max(0.0, _now() - request.look_at)


def _end(request: _Request, lateness: float) -> None:
    """End a request early, unless it is young; in a busy process requests stay young for longer."""
    if _now() - request.started >= SHORTEST_SECONDS + LATE_FACTOR * lateness:
        request.is_ended = True
        request.timeout.reschedule(_now())


def _forget(request: _Request) -> None:
    if request.timer is not None:
        request.timer.cancel()
