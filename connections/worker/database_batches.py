"""Runs database functions of many connections in common transactions, for SQLite.

SQLite has one writer at a time, and whoever waits for it tries again after a pause: a process with
busy web threads gets few turns in a second. So each turn is used for all that waits
(docs/performance.md).
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from django.db import OperationalError, transaction

from connections.database_outages import DATABASE_UNAVAILABLE
from connections.worker.database import Database, keep_connection

T = TypeVar("T")

# How long one transaction may keep other writers out.
TURN_SECONDS = 0.1


@dataclass(eq=False)
class Call:
    """A function that waits for its turn, and what became of it."""

    function: Callable[[], Any]
    done: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = field(default=None)


class BatchingDatabase(Database):
    """Runs all functions that wait, each in a savepoint, within one transaction.

    A function's result is returned when that transaction is committed.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lanes: deque[deque[Call]] = deque()
        self._default = self.new_lane()
        self._turns: asyncio.Task[None] | None = None

    def new_lane(self) -> Lane:
        """Return another way in. Lanes take turns, so what waits in one holds up no other."""
        calls: deque[Call] = deque()
        self._lanes.append(calls)
        return Lane(self, calls)

    async def run_once(self, function: Callable[..., T], *arguments: object) -> T:
        return await self._default.run_once(function, *arguments)

    async def run_in(self, lane: deque[Call], function: Callable[..., T], *arguments: object) -> T:
        """Run a function in the turns of a lane. See `run_once`."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        lane.append(Call(partial(function, *arguments), done))
        if self._turns is None or self._turns.done():
            self._turns = asyncio.create_task(self._take_turns(), name="database turns")
        return await done

    async def _take_turns(self) -> None:
        """Run what waits, turn by turn, until nothing waits any more."""
        while any(self._lanes):
            batch: list[Call] = []
            try:
                await super().run_once(self._run_turn, batch)
            except DATABASE_UNAVAILABLE as error:
                # Nothing is stored. What could not even begin is tried again by its callers, too.
                batch = batch or self._take_all()
                for call in batch:
                    call.error = error
            except Exception:
                # One of them broke the commit of all.
                await self._run_alone(batch)
            for call in batch:
                _finish(call)

    async def _run_alone(self, batch: list[Call]) -> None:
        """Run each function in a transaction of its own."""
        for call in batch:
            call.error = None
            try:
                call.result = await super().run_once(transaction.atomic(call.function))
            except Exception as error:
                call.error = error

    def _run_turn(self, batch: list[Call]) -> None:
        """Run waiting functions in one transaction, and add them to `batch`.

        Raises OperationalError when SQLite has undone the whole transaction, as it does on a full
        disk: the outer `atomic` would undo nothing more and say nothing.
        """
        keep_connection()
        deadline = time.monotonic() + TURN_SECONDS
        with transaction.atomic():
            while any(self._lanes) and (not batch or time.monotonic() < deadline):
                call = self._next_call()
                if call.done.cancelled():
                    continue
                batch.append(call)
                try:
                    with transaction.atomic():
                        call.result = call.function()
                except Exception as error:
                    call.error = error
                if transaction.get_rollback():
                    raise OperationalError("the transaction is lost") from call.error

    def _next_call(self) -> Call:
        """Return the oldest call of the lane whose turn it is."""
        while not self._lanes[0]:
            self._lanes.rotate(-1)
        call = self._lanes[0].popleft()
        self._lanes.rotate(-1)
        return call

    def _take_all(self) -> list[Call]:
        found = [call for lane in self._lanes for call in lane]
        for lane in self._lanes:
            lane.clear()
        return found

    def close(self) -> None:
        super().close()
        if self._turns is not None:
            self._turns.cancel()


class Lane(Database):
    """A way into the common transactions of a BatchingDatabase, which also ends it."""

    def __init__(self, database: BatchingDatabase, calls: deque[Call]) -> None:
        super().__init__()
        self._database = database
        self._calls = calls

    async def run_once(self, function: Callable[..., T], *arguments: object) -> T:
        return await self._database.run_in(self._calls, function, *arguments)


def _finish(call: Call) -> None:
    """Hand the result or the error to the one who waits, unless that was cancelled."""
    if call.done.done():
        return
    if call.error is None:
        call.done.set_result(call.result)
    else:
        call.done.set_exception(call.error)
