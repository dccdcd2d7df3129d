"""The duty of workers that carries out removals."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from django.db import connections as databases

from connections.database_outages import DATABASE_UNAVAILABLE
from connections.worker.database import Database
from connections.worker.polling import PollTimer
from messaging.refusals import StorageUnavailable
from removal import actions, steps
from removal.models import ERROR_PROBLEM, STORAGE_PROBLEM

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 3.0
REMAINS_SECONDS = 60.0
MAX_PAUSE_SECONDS = 300.0
CLOSE_SECONDS = 1.5


class Removals:
    """Carries out removals. Several workers may do so at once: each part locks what it deletes."""

    def __init__(self) -> None:
        self._database = Database()
        self._timer = PollTimer(PAUSE_SECONDS)
        # How long to leave removals alone whose last part failed, and until when.
        self._pauses: dict[int, tuple[float, float]] = {}

    @property
    def background_tasks(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """The functions that the supervisor runs again and again, by name."""
        return {"remove organizations": self._run, "remove remains": self._remove_remains}

    @property
    def listeners(self) -> Mapping[str, Callable[[Mapping[str, Any]], Awaitable[None]]]:
        """No messages of its own: see `wakers`."""
        return {}

    @property
    def wakers(self) -> Mapping[str, Callable[[], None]]:
        """What lets it look for removals."""
        return {actions.REMOVALS: self._timer.wake}

    async def close(self) -> None:
        """Let the database go. The next worker goes on with the next part."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._database.run_once(databases.close_all)
        except (TimeoutError, *DATABASE_UNAVAILABLE):
            logger.warning("a removal was interrupted by the stop; it goes on at the next start")
        self._database.close()

    async def _run(self) -> None:
        now = asyncio.get_running_loop().time()
        unfinished = await self._database.run(steps.unfinished)
        for organization_id in unfinished:
            _pause, until = self._pauses.get(organization_id, (0.0, 0.0))
            if until <= now:
                await self._advance(organization_id)
        await self._timer.wait(0.0 if unfinished else None)

    async def _remove_remains(self) -> None:
        """Remove what removed organizations have left on this machine, and sleep."""
        try:
            if count := await self._database.run(steps.remove_remains):
                logger.info("removed the rest of organizations", extra={"organizations": count})
        except OSError:
            logger.exception("the rest of removed organizations could not be deleted")
        await asyncio.sleep(REMAINS_SECONDS)

    async def _advance(self, organization_id: int) -> None:
        """Carry a removal on as far as it goes; after a failure leave it alone for a while."""
        try:
            while await self._database.run(steps.advance, organization_id):
                await asyncio.sleep(0)
        except Exception as error:
            # Whatever it is, it keeps no other removal from going on.
            pause, _until = self._pauses.get(organization_id, (PAUSE_SECONDS / 2, 0.0))
            pause = min(2 * pause, MAX_PAUSE_SECONDS)
            until = asyncio.get_running_loop().time() + pause
            self._pauses[organization_id] = pause, until
            logger.exception("a removal cannot go on", extra={"organization": organization_id})
            storage = isinstance(error, StorageUnavailable | OSError)
            problem = STORAGE_PROBLEM if storage else ERROR_PROBLEM
            await self._database.run(steps.record_problem, organization_id, problem)
        else:
            if self._pauses.pop(organization_id, None):
                await self._database.run(steps.record_problem, organization_id, "")
