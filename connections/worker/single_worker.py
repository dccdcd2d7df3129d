"""Where there can be one worker only, and what a second one is told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import IO, Any

from django.conf import settings

from connections import lock
from connections.models import Worker

# A worker that was killed counts as alive until its heartbeat is old.
COMPANY_SECONDS = 15.0
LOOK_SECONDS = 0.2


class AlreadyRunning(Exception):
    """Another worker is at work where there can be one only; the text says what to do."""


def lock_folder() -> IO[str]:
    """The one worker that SQLite has keeps this open. Raises AlreadyRunning."""
    try:
        return lock.exclusive(settings.DATA_DIR / "worker.lock")
    except lock.Locked as error:
        raise AlreadyRunning(
            "Another worker is running on this data folder, and SQLite has one only. Stop that "
            "one first, or set DATABASE_URL."
        ) from error


async def ensure_alone(worker: Worker, db: Callable[..., Awaitable[Any]]) -> None:
    """Signals in memory stay in one process. Raises AlreadyRunning."""
    give_up_at = asyncio.get_running_loop().time() + COMPANY_SECONDS
    while await db(Worker.objects.alive().exclude(pk=worker.pk).exists):
        if asyncio.get_running_loop().time() > give_up_at:
            raise AlreadyRunning(
                "Another worker uses this database, and signals in memory do not reach it. Stop "
                "that one first, or set REDIS_URL."
            )
        await asyncio.sleep(LOOK_SECONDS)
