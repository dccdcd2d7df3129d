"""Small work about connections that any worker does: bulk runs, and phones that are silent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from connections import actions
from connections.actions.bulk import BULK_RUNS
from connections.worker.database import RunFunction
from connections.worker.polling import PollTimer

PHONES_SECONDS = 300.0
STEP_SECONDS = 0.2  # between steps of a bulk run


class Chores:
    """The chores of one worker. See `duties.py` for its properties."""

    def __init__(self, db: RunFunction) -> None:
        self._db = db
        self._bulk_timer = PollTimer(STEP_SECONDS)

    @property
    def background_tasks(self) -> dict[str, Callable[[], Awaitable[None]]]:
        return {"bulk runs": self._advance_bulk_runs, "silent phones": self._watch_phones}

    @property
    def wakers(self) -> dict[str, Callable[[], None]]:
        return {BULK_RUNS: self._bulk_timer.wake}

    async def _advance_bulk_runs(self) -> None:
        """Advance the bulk runs by one step, and sleep."""
        busy = await self._db(actions.advance_runs)
        await self._bulk_timer.wait(0.0 if busy else None)

    async def _watch_phones(self) -> None:
        """Announce the phones that are silent for days, and sleep."""
        await self._db(actions.announce_phone_silences)
        await asyncio.sleep(PHONES_SECONDS)
