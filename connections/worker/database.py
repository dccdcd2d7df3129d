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

logger = logging.getLogger(__name__)

T = TypeVar("T")

FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 0.2, 5.0
AWAY = (OperationalError, InterfaceError)


class Database:
    """Runs database functions one after the other, off the event loop."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="supervisor-db")
        self._away = False

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        """Run a function; while the database is away, again for as long as it takes.

        Sockets stay open meanwhile, and what they say is written down afterwards.
        """
        wait = FIRST_RETRY_SECONDS
        while True:
            try:
                found = await self.run_once(function, *arguments)
            except AWAY as error:
                if not self._away:
                    self._away = True
                    why = type(error).__name__
                    logger.error("the database is away", extra={"why": why})
            else:
                if self._away:
                    self._away = False
                    logger.warning("the database is back")
                return found
            await asyncio.sleep(wait)
            wait = min(wait * 2, LONGEST_RETRY_SECONDS)

    async def run_once(self, function: Callable[..., T], *arguments: object) -> T:
        """Run a function. Raises what it raises: AWAY when the database is away."""
        call = partial(_with_own_connection, function, *arguments)
        return await sync_to_async(call, thread_sensitive=False, executor=self._executor)()

    def close(self) -> None:
        """Nothing that still waits is run."""
        self._executor.shutdown(wait=False, cancel_futures=True)


def _with_own_connection(function: Callable[..., T], *arguments: object) -> T:
    keep_connection()
    return function(*arguments)


def keep_connection() -> None:
    """One thread, one connection: Django's own rule would open a new one for every call."""
    connection.close_at = None
    connection.close_if_unusable_or_obsolete()
