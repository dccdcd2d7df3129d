"""Refuses a second worker where there can be only one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import IO, Any

from django.conf import settings

from connections import file_lock
from connections.models import Worker

# A killed worker counts as alive until its heartbeat is old.
OTHER_WORKER_SECONDS = 15.0
CHECK_SECONDS = 0.2


class AlreadyRunning(Exception):
    """Another worker runs where there can be only one; the text says what to do."""


def lock_folder() -> IO[str]:
    """Lock the data folder, as SQLite has one worker. Return the open file.

    Raises AlreadyRunning.
    """
    try:
        return file_lock.exclusive(settings.DATA_DIR / "worker.lock")
    except file_lock.Locked as error:
        raise AlreadyRunning(
            "Another worker is running on this data folder, and SQLite has one only. Stop that "
            "one first, or set DATABASE_URL."
        ) from error


async def ensure_alone(worker: Worker, db: Callable[..., Awaitable[Any]]) -> None:
    """Wait until no other worker is alive: signals in memory do not reach it.

    Raises AlreadyRunning after OTHER_WORKER_SECONDS.
    """
    give_up_at = asyncio.get_running_loop().time() + OTHER_WORKER_SECONDS
    while await db(Worker.objects.alive().exclude(pk=worker.pk).exists):
        if asyncio.get_running_loop().time() > give_up_at:
            raise AlreadyRunning(
                "Another worker uses this database, and signals in memory do not reach it. Stop "
                "that one first, or set REDIS_URL."
            )
        await asyncio.sleep(CHECK_SECONDS)
