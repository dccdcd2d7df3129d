"""Tasks of connections: one at a time for each, many connections at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, KeysView


class ConnectionTasks:
    """The tasks that run, by connection. `what`: their name; `ended`: called after each."""

    def __init__(self, what: str, ended: Callable[[], None]) -> None:
        self._what, self._ended = what, ended
        self._running: dict[int, asyncio.Task[None]] = {}

    @property
    def busy(self) -> KeysView[int]:
        """The connections whose task runs."""
        return self._running.keys()

    def start(self, connection_id: int, work: Coroutine[object, object, None]) -> None:
        """Start the task of a connection that is not busy."""

        def end(_: object) -> None:
            del self._running[connection_id]
            self._ended()

        task = asyncio.create_task(work, name=f"{self._what} {connection_id}")
        self._running[connection_id] = task
        task.add_done_callback(end)

    async def cancel(self) -> None:
        """Cancel all tasks, and wait for their end."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
