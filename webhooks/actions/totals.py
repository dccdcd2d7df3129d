"""Add what was delivered to the totals that the metrics show."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable

from django.db import connection

from webhooks.models import BOUNDS, Attempt, Cursor, Delivery, Total

Kind, State = Total.Kind, Delivery.State

ENDS = {State.DELIVERED: Kind.DELIVERED, State.DEAD: Kind.DEAD, State.DROPPED: Kind.DROPPED}


def add(deliveries: Iterable[Delivery], attempts: Iterable[Attempt]) -> None:
    """Count deliveries that are over, and attempts. Tests of endpoints are left out.

    It belongs at the end of a transaction: workers wait for each other's rows until the commit.
    """
    added: defaultdict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0])
    for delivery in deliveries:
        kind = ENDS.get(State(delivery.state))
        if kind is not None and not _is_test(delivery):
            added[kind, 0][0] += 1
    for attempt in attempts:
        if not _is_test(attempt.delivery):
            bucket = bisect_left(BOUNDS, attempt.milliseconds / 1000)
            sums = added[Kind.FAILED if attempt.failure else Kind.TAKEN, bucket]
            sums[0] += 1
            sums[1] += attempt.milliseconds
    if added:
        # In one order, so that no two workers wait for each other.
        _add([(*key, count, time) for key, (count, time) in sorted(added.items())])


def _is_test(delivery: Delivery) -> bool:
    return delivery.cursor.kind == Cursor.Kind.TEST


def _add(rows: list[tuple[str, int, int, int]]) -> None:
    """Add to each row, or insert it; Django's bulk_create can only replace what is there."""
    table = Total._meta.db_table
    values = ", ".join(["(%s, %s, %s, %s)"] * len(rows))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} (kind, bucket, count, milliseconds) VALUES {values} "
            f"ON CONFLICT (kind, bucket) DO UPDATE SET count = {table}.count + excluded.count, "
            f"milliseconds = {table}.milliseconds + excluded.milliseconds",
            [value for row in rows for value in row],
        )
