"""The background tasks of a worker: functions that run again and again until its stop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

logger = logging.getLogger(__name__)

ERROR_PAUSE_SECONDS = 2.0


def start_tasks(functions: Mapping[str, Callable[[], Awaitable[None]]]) -> list[asyncio.Task[None]]:
    """Start a task for each function, by its name."""
    return [
        asyncio.create_task(_run_forever(name, function), name=name)
        for name, function in functions.items()
    ]


async def _run_forever(name: str, function: Callable[[], Awaitable[None]]) -> None:
    """Run a function again and again. Log its errors and continue."""
    while True:
        try:
            await function()
        except Exception:
            logger.exception("a background task failed", extra={"duty": name})
            await asyncio.sleep(ERROR_PAUSE_SECONDS)
