"""What has happened so far, counted from rows that are never deleted.

So every web process tells the same, whichever is asked, and a restart begins nothing anew. Rows
that no longer change are counted once and kept as totals: each time only the newest are read.
"""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Count, Q
from django.utils import timezone

from connections.lifecycle import State
from connections.models import ConnectionEvent, PairingAttempt
from whatsapp_orgs.metrics.gauges import holds
from whatsapp_orgs.metrics.tally import Tally

# Longer than a transaction lasts: by then every row with a smaller number is there to be seen.
SETTLED_AFTER = timedelta(minutes=5)
# A past of any length is read in queries of a bounded length.
STEP = 100_000
CHUNK = 2000


class Past:
    """The totals, kept by one process. Not for two threads at a time."""

    def __init__(self) -> None:
        self._kept = Tally()

    def read(self) -> Tally:
        """All that has happened until now."""
        events, attempts = _settled_events(), _settled_attempts()
        if events < self._kept.events_upto or attempts < self._kept.attempts_upto:
            # Rows are gone: the database was put back to what it was earlier.
            self._kept = Tally()
        while True:
            kept = self._kept
            span = _Span(kept, events, attempts)
            self._kept = kept.plus(span.settled)
            if span.reaches_now:
                return self._kept.plus(span.newest)


class _Span:
    """What lies between what was counted already and now, or a bounded part of it."""

    def __init__(self, kept: Tally, events: int, attempts: int) -> None:
        """`events`, `attempts`: the numbers up to which rows do not change any more."""
        self.settled, self.newest = Tally(), Tally()
        self.settled.events_upto = min(events, kept.events_upto + STEP)
        self.settled.attempts_upto = min(attempts, kept.attempts_upto + STEP)
        self.reaches_now = (self.settled.events_upto, self.settled.attempts_upto) == (
            events,
            attempts,
        )
        of_events = self._range(kept.events_upto, self.settled.events_upto)
        self._count_events(of_events)
        self._count_recoveries(of_events, kept)
        of_attempts = self._range(kept.attempts_upto, self.settled.attempts_upto)
        self._count_attempts(of_attempts | Q(pk__in=kept.open_attempts))

    def _range(self, after: int, upto: int) -> Q:
        return Q(pk__gt=after) if self.reaches_now else Q(pk__gt=after, pk__lte=upto)

    def _count_events(self, wanted: Q) -> None:
        is_settled = holds(Q(pk__lte=self.settled.events_upto))
        rows = ConnectionEvent.objects.filter(wanted).order_by()
        for row in rows.values("observation", settled=is_settled).annotate(count=Count("pk")):
            tally = self.settled if row["settled"] else self.newest
            tally.events[row["observation"]] += row["count"]

    def _count_recoveries(self, wanted: Q, kept: Tally) -> None:
        """From the line that says "reconnecting" to the one that says "connected" again."""
        began = Q(state=State.RECONNECTING) & ~Q(state_before=State.RECONNECTING)
        ended = Q(state_before=State.RECONNECTING) & ~Q(state=State.RECONNECTING)
        rows = (
            ConnectionEvent.objects.filter(wanted, began | ended)
            .order_by("pk")
            .values_list("pk", "connection_id", "at", "state")
        )
        tally = self.settled
        tally.dropped = dict(kept.dropped)
        for number, connection, at, state in rows.iterator(CHUNK):
            if number > tally.events_upto and tally is self.settled:
                tally = self.newest
                tally.dropped = dict(self.settled.dropped)
            if state == State.RECONNECTING:
                tally.dropped[connection] = at
            elif (since := tally.dropped.pop(connection, None)) and state == State.CONNECTED:
                tally.recoveries.add(max(0.0, (at - since).total_seconds()))

    def _count_attempts(self, wanted: Q) -> None:
        rows = (
            PairingAttempt.objects.filter(wanted)
            .order_by()
            .values_list("pk", "method", "outcome", "started_at", "first_code_at")
        )
        for number, method, outcome, started_at, first_code_at in rows.iterator(CHUNK):
            there = number <= self.settled.attempts_upto
            if there and not outcome:
                self.settled.open_attempts.add(number)
            tally = self.settled if there and outcome else self.newest
            tally.attempts[(method, outcome)] += 1
            if first_code_at is not None:
                seconds = (first_code_at - started_at).total_seconds()
                tally.code_seconds(method).add(max(0.0, seconds))


def _settled_events() -> int:
    """The number up to which all lines of the history are there."""
    old = ConnectionEvent.objects.filter(at__lt=timezone.now() - SETTLED_AFTER)
    return old.order_by("-pk").values_list("pk", flat=True).first() or 0


def _settled_attempts() -> int:
    """The number up to which all attempts are there."""
    old = PairingAttempt.objects.filter(started_at__lt=timezone.now() - SETTLED_AFTER)
    return old.order_by("-pk").values_list("pk", flat=True).first() or 0
