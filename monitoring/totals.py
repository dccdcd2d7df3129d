"""The counts that `monitoring.counters` makes of the history."""

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
    """Counts durations in buckets."""

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
        """Return Prometheus' cumulative buckets: upper bound and count."""
        names = [*map(str, self.bounds), "+Inf"]
        return list(zip(names, map(float, accumulate(self.counts)), strict=True))


def _histogram(bounds: tuple[float, ...]) -> Callable[[], Histogram]:
    return lambda: Histogram(bounds)


@dataclass
class Totals:
    """Counts of the history's and the attempts' rows, up to `last_event` and `last_attempt`."""

    events: Counter[str] = field(default_factory=Counter)
    recoveries: Histogram = field(default_factory=_histogram(RECOVERY_BOUNDS))
    attempts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By method and outcome; "" is the outcome of an open attempt."""
    codes: dict[str, Histogram] = field(default_factory=dict)
    """By method: seconds from the start of an attempt to its first code."""
    reconnecting_since: dict[int, datetime] = field(default_factory=dict)
    """Start times of the outages under way, by connection id."""
    open_attempts: set[int] = field(default_factory=set)
    """The ids of open attempts, which are read again."""
    last_event: int = 0
    last_attempt: int = 0

    @property
    def rows(self) -> int:
        """How many ids of rows lie behind it, deleted ones included."""
        return self.last_event + self.last_attempt

    def code_seconds(self, method: str) -> Histogram:
        return self.codes.setdefault(method, Histogram(CODE_BOUNDS))

    def plus(self, newest: Totals) -> Totals:
        """Return the sum of both, up to the last rows of `newest`. Changes neither."""
        methods = self.codes.keys() | newest.codes.keys()
        none = Histogram(CODE_BOUNDS)
        return Totals(
            self.events + newest.events,
            self.recoveries.plus(newest.recoveries),
            self.attempts + newest.attempts,
            {m: self.codes.get(m, none).plus(newest.codes.get(m, none)) for m in methods},
            newest.reconnecting_since,
            newest.open_attempts,
            newest.last_event,
            newest.last_attempt,
        )
