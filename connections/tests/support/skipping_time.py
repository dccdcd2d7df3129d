"""An event loop that skips the time in which nothing happens, and waits for its threads."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any


class SkippingLoop(asyncio.SelectorEventLoop):
    """Jumps to the next timer when nothing is ready, and no thread of an executor works for it."""

    def __init__(self) -> None:
        super().__init__()
        self._skipped = 0.0
        self._working = 0

    def time(self) -> float:
        return super().time() + self._skipped

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]
        future = super().run_in_executor(executor, func, *args)
        self._working += 1
        future.add_done_callback(self._finish)
        return future

    def _finish(self, future: object) -> None:
        self._working -= 1

    def _run_once(self) -> None:
        # All three are asyncio's own, and as old as it is; there is no public way.
        loop: Any = self
        if loop._scheduled and not loop._ready and not self._working:
            self._skipped += max(0.0, loop._scheduled[0].when() - self.time())
        super()._run_once()  # type: ignore[misc]


def run_skipping_time(function: Callable[[], Awaitable[None]]) -> None:
    """Run an async function to its end; its sleeps take no time."""

    async def run_function() -> None:
        await function()

    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        runner.run(run_function())
