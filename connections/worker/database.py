"""The supervisor's one thread for the database, which waits while the database is away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from asgiref.sync import sync_to_async
from django.db import InterfaceError, OperationalError, connection

from connections.outages import OutageLog, delays

logger = logging.getLogger(__name__)

T = TypeVar("T")

FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 0.2, 5.0
AWAY = (OperationalError, InterfaceError)


class Database:
    """Runs database functions one after the other, off the event loop."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="supervisor-db")
        self._outage = OutageLog(logger, "the database is away", "the database is back")

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        """Run a function, and run it again until the database answers.

        Sockets stay open meanwhile; what happens on them is recorded afterwards.
        """
        waits = delays(FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS)
        while True:
            try:
                found = await self.run_once(function, *arguments)
            except AWAY as error:
                self._outage.record_failure(why=type(error).__name__)
            else:
                self._outage.record_success()
                return found
            await asyncio.sleep(next(waits))

    async def run_once(self, function: Callable[..., T], *arguments: object) -> T:
        """Run a function. Raises what it raises: AWAY when the database is away."""
        call = partial(_with_own_connection, function, *arguments)
        return await sync_to_async(call, thread_sensitive=False, executor=self._executor)()

    def close(self) -> None:
        """Drop the functions that have not begun."""
        self._executor.shutdown(wait=False, cancel_futures=True)


def _with_own_connection(function: Callable[..., T], *arguments: object) -> T:
    keep_connection()
    return function(*arguments)


def keep_connection() -> None:
    """Keep this thread's connection open: Django's own rule would open one for every call."""
    connection.close_at = None
    connection.close_if_unusable_or_obsolete()
