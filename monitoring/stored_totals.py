"""The totals of the settled history in the database, from which a new process goes on."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import datetime
from typing import Any

from django.db import DatabaseError, transaction

from monitoring.models import HistoryTotals
from monitoring.totals import CODE_BOUNDS, RECOVERY_BOUNDS, Histogram, Totals

logger = logging.getLogger(__name__)

ROW = 1
"""The id of the only row."""


def load() -> Totals:
    """Return the stored totals; zeros if there are none, or if the buckets have changed since."""
    row = HistoryTotals.objects.filter(pk=ROW).first()
    if row is None or row.counts["bounds"] != [*RECOVERY_BOUNDS, *CODE_BOUNDS]:
        return Totals()
    counts = row.counts
    return Totals(
        events=Counter(counts["events"]),
        recoveries=_histogram(RECOVERY_BOUNDS, counts["recoveries"]),
        attempts=Counter(
            {(method, outcome): count for method, outcome, count in counts["attempts"]}
        ),
        codes={
            method: _histogram(CODE_BOUNDS, stored) for method, stored in counts["codes"].items()
        },
        reconnecting_since={
            int(connection): datetime.fromisoformat(at)
            for connection, at in counts["reconnecting_since"].items()
        },
        open_attempts=set(counts["open_attempts"]),
        last_event=row.last_event,
        last_attempt=row.last_attempt,
    )


def store(totals: Totals) -> None:
    """Store the totals, unless another process has stored later ones.

    A database that takes no writes is logged, as the metrics are needed most then.
    """
    last = {"last_event": totals.last_event, "last_attempt": totals.last_attempt}
    older = HistoryTotals.objects.filter(
        pk=ROW, **{f"{name}__lte": row for name, row in last.items()}
    )
    try:
        with transaction.atomic():
            counts = _counts(totals)
            if not older.update(counts=counts, **last):
                new = HistoryTotals(pk=ROW, counts=counts, **last)
                HistoryTotals.objects.bulk_create([new], ignore_conflicts=True)
    except DatabaseError as error:
        logger.error(
            "the totals of the metrics could not be stored", extra={"why": type(error).__name__}
        )


def _histogram(bounds: tuple[float, ...], stored: list[Any]) -> Histogram:
    counts, total = stored
    return Histogram(bounds, counts, total)


def _counts(totals: Totals) -> dict[str, Any]:
    return {
        "bounds": [*RECOVERY_BOUNDS, *CODE_BOUNDS],
        "events": totals.events,
        "recoveries": [totals.recoveries.counts, totals.recoveries.total],
        "attempts": [[*key, count] for key, count in totals.attempts.items()],
        "codes": {method: [one.counts, one.total] for method, one in totals.codes.items()},
        "reconnecting_since": {
            connection: at.isoformat() for connection, at in totals.reconnecting_since.items()
        },
        "open_attempts": sorted(totals.open_attempts),
    }
