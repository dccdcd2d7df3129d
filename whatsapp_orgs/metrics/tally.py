"""Counts that add up."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate

CODE_BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0)
RECOVERY_BOUNDS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 21600.0)


@dataclass
class Histogram:
    """How many took how long."""

    bounds: tuple[float, ...]
    counts: list[int] = field(default_factory=list)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = self.counts or [0] * (len(self.bounds) + 1)

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds

    def plus(self, other: Histogram) -> Histogram:
        counts = [one + more for one, more in zip(self.counts, other.counts, strict=True)]
        return Histogram(self.bounds, counts, self.total + other.total)

    def buckets(self) -> list[tuple[str, float]]:
        """As Prometheus wants them: each with all that took no longer."""
        names = [*map(str, self.bounds), "+Inf"]
        return list(zip(names, map(float, accumulate(self.counts)), strict=True))


def _histogram(bounds: tuple[float, ...]) -> Callable[[], Histogram]:
    return lambda: Histogram(bounds)


@dataclass
class Tally:
    """What has happened, of which rows of the history and of the attempts."""

    events: Counter[str] = field(default_factory=Counter)
    recoveries: Histogram = field(default_factory=_histogram(RECOVERY_BOUNDS))
    attempts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By method and outcome; "" is the outcome of what is under way."""
    codes: dict[str, Histogram] = field(default_factory=dict)
    """By method: from the beginning of an attempt to its first code."""
    dropped: dict[int, datetime] = field(default_factory=dict)
    """Since when those connections are reconnecting that are, by the connection's number."""
    open_attempts: set[int] = field(default_factory=set)
    """The numbers of those that were there and had not ended: they are read again."""
    events_upto: int = 0
    attempts_upto: int = 0

    def code_seconds(self, method: str) -> Histogram:
        return self.codes.setdefault(method, Histogram(CODE_BOUNDS))

    def plus(self, newest: Tally) -> Tally:
        """Both together, as far as the newer one goes. Changes neither."""
        methods = self.codes.keys() | newest.codes.keys()
        none = Histogram(CODE_BOUNDS)
        return Tally(
            self.events + newest.events,
            self.recoveries.plus(newest.recoveries),
            self.attempts + newest.attempts,
            {m: self.codes.get(m, none).plus(newest.codes.get(m, none)) for m in methods},
            newest.dropped,
            newest.open_attempts,
            newest.events_upto,
            newest.attempts_upto,
        )
