"""What else a worker does, beside holding connections: other apps hand it to the supervisor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol


class Duty(Protocol):
    """Work of a worker that the supervisor runs, and knows nothing else about."""

    @property
    def background_tasks(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """The functions that run again and again until the stop, by name."""

    @property
    def listeners(self) -> Mapping[str, Callable[[Mapping[str, Any]], Awaitable[None]]]:
        """What is called with each message to a group of the channel layer, by group."""

    @property
    def wakers(self) -> Mapping[str, Callable[[], None]]:
        """What lets it look for its work soon, by the kind of work (`broadcast.notify_work`)."""

    async def close(self) -> None:
        """End, within a few seconds. The background tasks have been cancelled by then."""
