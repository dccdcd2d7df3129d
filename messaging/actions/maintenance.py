"""What is done now and then: expiry, retention, old keys."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from messaging.actions import days, lost, receipts
from messaging.actions.expiry import expire
from messaging.actions.outgoing import KEEP_KEYS
from messaging.models import HandledId, IdempotencyKey, Message

State = Message.State

KEEP_HANDLED = timedelta(days=60)


def maintain() -> None:
    """Expire what waited too long, and delete what is not kept any longer."""
    for organization_id in _organizations_with_late_messages():
        expire(organization_id)
    lost.give_up_unreadable()
    days.count_days()
    receipts.delete_old_early_receipts()
    now = timezone.now()
    IdempotencyKey.objects.filter(created_at__lt=now - KEEP_KEYS).delete()
    HandledId.objects.filter(at__lt=now - KEEP_HANDLED).delete()


def _organizations_with_late_messages() -> list[int]:
    late = Message.objects.filter(
        state__in=(State.QUEUED, State.HELD), expires_at__lte=timezone.now()
    )
    return list(late.order_by().values_list("organization", flat=True).distinct())
