"""Runs database functions in one thread, and waits while the database is unavailable."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from asgiref.sync import sync_to_async
from django.db import connection

from connections.database_outages import DATABASE_UNAVAILABLE, as_outage
from connections.outages import OutageLog, delays

logger = logging.getLogger(__name__)

T = TypeVar("T")

FIRST_RETRY_SECONDS, MAX_RETRY_SECONDS = 0.2, 5.0


class RunFunction(Protocol):
    """Runs a blocking function off the event loop and returns its result."""

    def __call__(self, function: Callable[..., T], /, *arguments: object) -> Awaitable[T]: ...


class Database:
    """Runs database functions one after the other, off the event loop."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="supervisor-db")
        # Made once: it inspects the function each time.
        self._call: Callable[..., Awaitable[Any]] = sync_to_async(
            _with_open_connection, thread_sensitive=False, executor=self._executor
        )
        self._outage = OutageLog(
            logger, "the database is unavailable", "the database is available again"
        )

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        """Run a function, and retry until the database answers.

        Sockets stay open meanwhile; their events are recorded afterwards.
        """
        waits = delays(FIRST_RETRY_SECONDS, MAX_RETRY_SECONDS)
        while True:
            try:
                result = await self.run_once(function, *arguments)
            except DATABASE_UNAVAILABLE as error:
                self._outage.record_failure(why=type(error).__name__)
            else:
                self._outage.record_success()
                return result
            await asyncio.sleep(next(waits))

    async def run_once(self, function: Callable[..., T], *arguments: object) -> T:
        """Run a function once. Raises its errors; DATABASE_UNAVAILABLE lists those of an outage."""
        result: T = await self._call(function, *arguments)
        return result

    def close(self) -> None:
        """Cancel the functions that have not started."""
        self._executor.shutdown(wait=False, cancel_futures=True)


def _with_open_connection(function: Callable[..., T], *arguments: object) -> T:
    keep_connection()
    with as_outage():
        return function(*arguments)


def keep_connection() -> None:
    """Keep this thread's connection open: Django would close it after every call."""
    connection.close_at = None
    connection.close_if_unusable_or_obsolete()
