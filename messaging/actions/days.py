"""Counts the messages of past days, once for each day."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from django.db.models import Count, Min, Q
from django.db.models.functions import TruncDate
from django.utils import timezone

from messaging.models import Message, MessageDay

KEPT_DAYS = 70

RECEIVED = Q(direction=Message.Direction.IN)
SENT = Q(direction=Message.Direction.OUT, sent_at__isnull=False)


def count_days() -> None:
    """Count the days since the last one that was counted, up to yesterday."""
    today = timezone.localdate()
    MessageDay.objects.filter(day__lt=today - timedelta(days=KEPT_DAYS)).delete()
    newest = MessageDay.objects.order_by("-day").values_list("day", flat=True).first()
    first = newest + timedelta(days=1) if newest else today - timedelta(days=KEPT_DAYS)
    if first >= today:
        return
    found = Message.objects.filter(created_at__gte=_start(first), created_at__lt=_start(today))
    rows = (
        found.order_by()
        .annotate(day=TruncDate("created_at"))
        .values("organization", "day")
        .annotate(
            received=Count("pk", filter=RECEIVED),
            sent=Count("pk", filter=SENT),
            first_received_at=Min("created_at", filter=RECEIVED),
        )
    )
    MessageDay.objects.bulk_create(
        [
            MessageDay(
                organization_id=row["organization"],
                day=row["day"],
                received=row["received"],
                sent=row["sent"],
                first_received_at=row["first_received_at"],
            )
            for row in rows
        ],
        ignore_conflicts=True,
        batch_size=500,
    )


def _start(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
