"""Counters over the history: each of its rows is counted once.

Rows that no longer change are counted once and kept as totals, in the process and in the database;
each scrape reads only the newest ones (docs/performance.md). So all web processes report the same
values, and neither a restart nor the deletion of old rows resets them.
"""

from __future__ import annotations

import time
from datetime import timedelta

from django.db.models import Count, Q
from django.utils import timezone

from connections.lifecycle import State
from connections.models import ConnectionEvent, PairingAttempt
from monitoring import stored_totals
from monitoring.gauges import boolean_column
from monitoring.totals import Totals

# Longer than any transaction: rows with smaller ids cannot appear after this time.
SETTLED_AFTER = timedelta(minutes=5)
# The maximum number of rows for one query, and of rows fetched at a time.
MAX_ROWS = 100_000
CHUNK = 2000
# The totals are stored after so many rows, or so long after the last time.
STORE_ROWS = 1000
STORE_SECONDS = 300.0


class TotalsReader:
    """Reads the totals and keeps those of settled rows. Not safe for two threads at a time."""

    def __init__(self) -> None:
        self._kept: Totals | None = None
        self._stored_rows = 0
        """`rows` of what was last stored or loaded."""
        self._stored_at = time.monotonic()

    def read(self) -> Totals:
        """Return the totals up to now."""
        if self._kept is None:
            self._kept = stored_totals.load()
            self._stored_rows = self._kept.rows
        # Rows that were counted may be deleted meanwhile, the newest among them.
        events = max(_settled_events(), self._kept.last_event)
        attempts = max(_settled_attempts(), self._kept.last_attempt)
        while True:
            span = _Span(self._kept, events, attempts)
            self._kept = self._kept.plus(span.settled)
            self._store(self._kept)
            if span.reaches_now:
                return self._kept.plus(span.newest)

    def _store(self, totals: Totals) -> None:
        """Store the totals if there are enough new rows, or if some are new for a while."""
        new = totals.rows - self._stored_rows
        now = time.monotonic()
        if new >= STORE_ROWS or (new and now - self._stored_at >= STORE_SECONDS):
            stored_totals.store(totals)
            self._stored_rows, self._stored_at = totals.rows, now


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
