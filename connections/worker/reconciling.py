"""Calls a function for connections that were requested or found, each soon.

What was requested goes at once. What a poll has found, hundreds after a restart, goes a few at a
time, so that the first ones are connected while others wait to be claimed. Those that only have to
be resumed are claimed several at once (docs/performance.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Sequence
from typing import Any

FOUND_AT_ONCE = 4
RESUMED_AT_ONCE = 10
# One that waits longer, for the end of a logout for instance, holds up no other.
TURN_SECONDS = 1.0


class Reconciling:
    """The connections that wait to be reconciled."""

    def __init__(
        self,
        reconcile: Callable[[int], Coroutine[Any, Any, None]],
        resume: Callable[[Sequence[int]], Awaitable[Collection[int]]],
    ) -> None:
        """Both are called with ids of connections, and raise nothing.

        `resume`: returns those that it has dealt with; all others are reconciled.
        """
        self._reconcile, self._resume = reconcile, resume
        self._requested: asyncio.Queue[int] = asyncio.Queue()
        self._found: asyncio.Queue[int] = asyncio.Queue()
        self._left: asyncio.Queue[int] = asyncio.Queue()  # found, and not to be resumed
        self._waiting: set[int] = set()

    def request(self, connection_id: int) -> None:
        """Reconcile a connection at once."""
        self._requested.put_nowait(connection_id)

    def find(self, connection_ids: Iterable[int]) -> None:
        """Reconcile connections when it is their turn, those that wait already only once."""
        for connection_id in connection_ids:
            if connection_id not in self._waiting:
                self._waiting.add(connection_id)
                self._found.put_nowait(connection_id)

    async def run(self) -> None:
        """Reconcile until it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._run_requested(tasks))
            tasks.create_task(self._resume_found())
            for _ in range(FOUND_AT_ONCE):
                tasks.create_task(self._run_found(tasks))

    async def _run_requested(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            tasks.create_task(self._reconcile(await self._requested.get()))

    async def _resume_found(self) -> None:
        while True:
            found = [await self._found.get()]
            while len(found) < RESUMED_AT_ONCE and not self._found.empty():
                found.append(self._found.get_nowait())
            resumed = await self._resume(found)
            self._waiting.difference_update(resumed)
            for connection_id in found:
                if connection_id not in resumed:
                    self._left.put_nowait(connection_id)

    async def _run_found(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            connection_id = await self._left.get()
            self._waiting.discard(connection_id)
            reconciling = tasks.create_task(self._reconcile(connection_id))
            await asyncio.wait([reconciling], timeout=TURN_SECONDS)
