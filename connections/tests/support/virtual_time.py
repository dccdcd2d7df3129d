"""An event loop whose time passes only when a test says so."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable

# Rounding may make a timer this much too late.
ROUNDING_SECONDS = 1e-6


class _IdleSelector(selectors.DefaultSelector):
    """Never waits, but records for how long it should have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.wait: float | None = None
        self.on_idle: Callable[[], None] = lambda: None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if not found and (timeout is None or timeout > 0):
            self.wait = timeout
            self.on_idle()
        return found


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop whose sleeps take no real time. Its code must not use threads."""

    def __init__(self) -> None:
        self._idle = _IdleSelector()
        self._now = 1_000.0
        super().__init__(self._idle)
        self._idle.on_idle = self.stop

    def time(self) -> float:
        return self._now

    def run_until_idle(self) -> float | None:
        """Run all that is ready. Return the seconds until the next timer, None if there is none."""
        self.run_forever()
        return self._idle.wait

    def advance(self, seconds: float) -> None:
        """Advance the time, and run all that is ready then."""
        self._now += seconds + ROUNDING_SECONDS
        self.run_until_idle()

    def advance_to_next_timer(self) -> None:
        """Advance the time to the next timer."""
        wait = self.run_until_idle()
        assert wait is not None, "all tasks wait and there is no timer"
        self.advance(wait)


def run_in_virtual_time(function: Callable[[], Awaitable[None]]) -> None:
    """Run an async function to its end; its sleeps take no time."""

    async def run_function() -> None:
        await function()

    loop = VirtualTimeLoop()
    try:
        task = loop.create_task(run_function())
        loop.run_until_idle()
        while not task.done():
            loop.advance_to_next_timer()
        task.result()
    finally:
        loop.close()
