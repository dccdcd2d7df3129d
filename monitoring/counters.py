"""Counters over the history, computed from rows that are never deleted.

So all web processes report the same values, and a restart resets none. Rows that no longer change
are counted once and kept as totals; each scrape reads only the newest ones (docs/performance.md).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import accumulate

from django.db.models import Count, Q
from django.utils import timezone

from connections.lifecycle import State
from connections.models import ConnectionEvent, PairingAttempt
from monitoring.gauges import boolean_column

# Longer than any transaction: rows with smaller ids cannot appear after this time.
SETTLED_AFTER = timedelta(minutes=5)
# The maximum number of rows for one query, and of rows fetched at a time.
MAX_ROWS = 100_000
CHUNK = 2000
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


class TotalsReader:
    """Reads the totals and keeps those of settled rows. Not safe for two threads at a time."""

    def __init__(self) -> None:
        self._kept = Totals()

    def read(self) -> Totals:
        """Return the totals up to now."""
        events, attempts = _settled_events(), _settled_attempts()
        if events < self._kept.last_event or attempts < self._kept.last_attempt:
            # Rows are missing: the database was restored from a backup.
            self._kept = Totals()
        while True:
            kept = self._kept
            span = _Span(kept, events, attempts)
            self._kept = kept.plus(span.settled)
            if span.reaches_now:
                return self._kept.plus(span.newest)


class _Span:
    """Counts the rows after `kept`, up to now or a bounded part of them."""

    def __init__(self, kept: Totals, events: int, attempts: int) -> None:
        """`events`, `attempts`: the ids up to which rows no longer change."""
        self.settled, self.newest = Totals(), Totals()
        self.settled.last_event = min(events, kept.last_event + MAX_ROWS)
        self.settled.last_attempt = min(attempts, kept.last_attempt + MAX_ROWS)
        self.reaches_now = (self.settled.last_event, self.settled.last_attempt) == (
            events,
            attempts,
        )
        event_range = self._range(kept.last_event, self.settled.last_event)
        self._count_events(event_range)
        self._count_recoveries(event_range, kept)
        attempt_range = self._range(kept.last_attempt, self.settled.last_attempt)
        self._count_attempts(attempt_range | Q(pk__in=kept.open_attempts))

    def _range(self, after: int, last: int) -> Q:
        return Q(pk__gt=after) if self.reaches_now else Q(pk__gt=after, pk__lte=last)

    def _count_events(self, row_filter: Q) -> None:
        is_settled = boolean_column(Q(pk__lte=self.settled.last_event))
        rows = ConnectionEvent.objects.filter(row_filter).order_by()
        for row in rows.values("observation", settled=is_settled).annotate(count=Count("pk")):
            totals = self.settled if row["settled"] else self.newest
            totals.events[row["observation"]] += row["count"]

    def _count_recoveries(self, row_filter: Q, kept: Totals) -> None:
        """Count the seconds from each change to RECONNECTING to the next one to CONNECTED."""
        started = Q(state=State.RECONNECTING) & ~Q(state_before=State.RECONNECTING)
        ended = Q(state_before=State.RECONNECTING) & ~Q(state=State.RECONNECTING)
        rows = (
            ConnectionEvent.objects.filter(row_filter, started | ended)
            .order_by("pk")
            .values_list("pk", "connection_id", "at", "state")
        )
        totals = self.settled
        totals.reconnecting_since = dict(kept.reconnecting_since)
        for row_id, connection, at, state in rows.iterator(CHUNK):
            if row_id > totals.last_event and totals is self.settled:
                totals = self.newest
                totals.reconnecting_since = dict(self.settled.reconnecting_since)
            if state == State.RECONNECTING:
                totals.reconnecting_since[connection] = at
                continue
            since = totals.reconnecting_since.pop(connection, None)
            if since and state == State.CONNECTED:
                totals.recoveries.add(max(0.0, (at - since).total_seconds()))

    def _count_attempts(self, row_filter: Q) -> None:
        rows = (
            PairingAttempt.objects.filter(row_filter)
            .order_by()
            .values_list("pk", "method", "outcome", "started_at", "first_code_at")
        )
        for row_id, method, outcome, started_at, first_code_at in rows.iterator(CHUNK):
            is_settled = row_id <= self.settled.last_attempt
            if is_settled and not outcome:
                self.settled.open_attempts.add(row_id)
            totals = self.settled if is_settled and outcome else self.newest
            totals.attempts[(method, outcome)] += 1
            if first_code_at is not None:
                seconds = (first_code_at - started_at).total_seconds()
                totals.code_seconds(method).add(max(0.0, seconds))


def _settled_events() -> int:
    """Return the last id of the settled history."""
    old = ConnectionEvent.objects.filter(at__lt=timezone.now() - SETTLED_AFTER)
    return old.order_by("-pk").values_list("pk", flat=True).first() or 0


def _settled_attempts() -> int:
    """Return the last id of the settled attempts."""
    old = PairingAttempt.objects.filter(started_at__lt=timezone.now() - SETTLED_AFTER)
    return old.order_by("-pk").values_list("pk", flat=True).first() or 0
