"""What is done now and then for all organizations: expiry, old keys, days to count."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone

from messaging.actions import days, expiry, lost, receipts, stray_files
from messaging.actions.outgoing import KEEP_KEYS
from messaging.models import HandledId, HistoryId, IdempotencyKey

KEEP_HANDLED = timedelta(days=60)


def maintain() -> datetime | None:
    """Expire what waited too long, and give up what stayed unreadable.

    Return when that is needed next, by what is stored now. It takes two queries while nothing is.
    """
    times = expiry.expire_all(), lost.give_up_unreadable()
    return min((at for at in times if at is not None), default=None)


def forget() -> None:
    """Delete what is remembered for a time only and stray files; count the days that are over.

    It reads whole tables, so it is not for every few seconds.
    """
    days.count_days()
    receipts.delete_old_early_receipts()
    now = timezone.now()
    IdempotencyKey.objects.filter(created_at__lt=now - KEEP_KEYS).delete()
    HandledId.objects.filter(at__lt=now - KEEP_HANDLED).delete()
    HistoryId.objects.filter(at__lt=now - KEEP_HANDLED).delete()
    stray_files.delete_some()
