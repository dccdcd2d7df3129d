"""Stores what many tasks bring with few calls: each call takes all that has come meanwhile."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from connections.worker.database import RunFunction

T = TypeVar("T")


class Gatherer(Generic[T]):
    """Gives a function of the database all items that wait, up to a number of them.

    Where it fails for several, it is called for each alone: one item never keeps others out.
    """

    def __init__(
        self, run: RunFunction, function: Callable[[Sequence[T]], Any], at_once: int
    ) -> None:
        self._run, self._function, self._at_once = run, function, at_once
        self._waiting: deque[tuple[T, asyncio.Future[None]]] = deque()
        self._rounds: asyncio.Task[None] | None = None

    async def store(self, item: T) -> None:
        """Store an item. Raises the function's error."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, done))
        if self._rounds is None or self._rounds.done():
            self._rounds = asyncio.create_task(self._store_waiting(), name="store together")
        await done

    async def _store_waiting(self) -> None:
        """Store what waits, round by round, until nothing waits any more."""
        while self._waiting:
            count = min(self._at_once, len(self._waiting))
            batch = [self._waiting.popleft() for _ in range(count)]
            try:
                await self._store_all(batch)
            finally:
                for _, done in batch:
                    done.cancel()  # Nothing, unless this task was cancelled.

    async def _store_all(self, batch: Sequence[tuple[T, asyncio.Future[None]]]) -> None:
        try:
            await self._run(self._function, [item for item, _ in batch])
        except Exception as error:
            if len(batch) > 1:
                for found in batch:
                    await self._store_all([found])
            elif not batch[0][1].done():
                batch[0][1].set_exception(error)
            return
        for _, done in batch:
            if not done.done():
                done.set_result(None)
