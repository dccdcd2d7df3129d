"""Backoff of connections from which nothing may leave for now."""

from __future__ import annotations

from dataclasses import dataclass

from connections.worker.tasks.context import loop_time


@dataclass(frozen=True)
class Backoff:
    """A pause after a failure. `until`: when it ends, by the loop's time."""

    until: float
    seconds: float

    @classmethod
    def after(cls, earlier: Backoff | None, first: float, longest: float) -> Backoff:
        """Return the next pause, twice as long as the one before. `first`, `longest`: seconds."""
        seconds = min(2 * earlier.seconds, longest) if earlier else first
        return cls(loop_time() + seconds, seconds)
