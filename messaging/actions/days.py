"""Counts the messages of past days, once for each day."""

from __future__ import annotations

from datetime import date, timedelta

from django.db.models import Count, Min
from django.utils import timezone

from messaging.models import Message, MessageDay
from messaging.traffic import RECEIVED, SENT, start_of_day

KEPT_DAYS = 70


def count_days() -> None:
    """Count the days since the last one that was counted, up to yesterday."""
    today = timezone.localdate()
    MessageDay.objects.filter(day__lt=today - timedelta(days=KEPT_DAYS)).delete()
    newest = MessageDay.objects.order_by("-day").values_list("day", flat=True).first()
    day = newest + timedelta(days=1) if newest else today - timedelta(days=KEPT_DAYS)
    while next_day := _next_day_with_messages(day, today):
        _count(next_day)
        day = next_day + timedelta(days=1)


def _next_day_with_messages(first: date, end: date) -> date | None:
    """Return the first day with messages from `first` on and before `end`."""
    found = Message.objects.filter(
        created_at__gte=start_of_day(first), created_at__lt=start_of_day(end)
    )
    at = found.order_by("created_at").values_list("created_at", flat=True).first()
    return timezone.localdate(at) if at else None


def _count(day: date) -> None:
    # By the times at its ends, and not by its date: SQLite would ask Python for the date of each.
    found = Message.objects.filter(
        created_at__gte=start_of_day(day), created_at__lt=start_of_day(day + timedelta(days=1))
    )
    rows = (
        found.order_by()
        .values("organization")
        .annotate(
            received=Count("pk", filter=RECEIVED),
            sent=Count("pk", filter=SENT),
            first_received_at=Min("created_at", filter=RECEIVED),
        )
    )
    counted = [
        MessageDay(
            organization_id=row["organization"],
            day=day,
            received=row["received"],
            sent=row["sent"],
            first_received_at=row["first_received_at"],
        )
        for row in rows
    ]
    MessageDay.objects.bulk_create(counted, ignore_conflicts=True, batch_size=500)
