"""When the background tasks of a worker ask the database for work.

Signals wake them, and each poll tells when something is due next. Only work that was written
without a signal waits for the safety poll: by a shell or a command of another process, or where
Redis has lost the signal (docs/performance.md#a-worker-at-rest).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils import timezone

from connections import broadcast

SAFETY_SECONDS = 30.0
# Redis may lose signals without anybody's notice.
SAFETY_REDIS_SECONDS = 10.0
# Not longer than the shortest outage of the channel layer (redis_layer.RETRY_DELAY_SECONDS).
OUTAGE_SECONDS = 1.0


def safety_seconds() -> float:
    """Return within how many seconds work is found that was written without a signal."""
    return SAFETY_REDIS_SECONDS if settings.REDIS_URL else SAFETY_SECONDS


def seconds_until(moment: datetime | None) -> float | None:
    """Return the seconds until a moment, negative if it has passed; None for None."""
    return None if moment is None else (moment - timezone.now()).total_seconds()


class PollTimer:
    """Tells one background task when to ask for work again.

    `pause`: the seconds between two polls, at least, however often it is woken. `safety`: those
    after which it asks in any case, if not as all others do.
    """

    def __init__(self, pause: float, safety: float | None = None) -> None:
        self._pause, self._safety = pause, safety
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Ask soon: there may be work."""
        self._woken.set()

    async def wait(self, due_in: float | None = None) -> None:
        """Wait until the next poll: a signal, the end of `due_in` seconds, or the safety poll."""
        await asyncio.sleep(self._pause)
        longest = safety_seconds() if self._safety is None else self._safety
        if due_in is not None:
            longest = min(due_in, longest)
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, longest - self._pause)):
                await self._woken.wait()
        self._woken.clear()


class WorkPolls:
    """All polls of a worker. `wakers`: what wakes each, by the kind of its work."""

    def __init__(self, wakers: Mapping[str, Callable[[], None]]) -> None:
        self._wakers = wakers

    async def handle_signal(self, message: Mapping[str, Any]) -> None:
        """Wake the poll that a message of `broadcast.notify_work` is for."""
        # A process of another version may know other kinds.
        if wake := self._wakers.get(message["kind"]):
            wake()

    def wake_all(self) -> None:
        """Let all ask soon."""
        for wake in self._wakers.values():
            wake()

    async def watch_signals(self) -> None:
        """Wake all while signals do not pass, and once more when they do again."""
        passed = broadcast.reaches_others()
        await asyncio.sleep(OUTAGE_SECONDS)
        if not (passed and broadcast.reaches_others()):
            self.wake_all()
