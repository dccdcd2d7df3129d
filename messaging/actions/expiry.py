"""Expires messages that could not be sent in time."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from messaging.actions import statuses
from messaging.models import Message

State = Message.State

BATCH = 500


@transaction.atomic
def expire(organization_id: int) -> None:
    """Expire the organization's messages whose time has passed."""
    late = Message.objects.select_for_update(of=("self",)).select_related("contact")
    late = late.filter(
        organization=organization_id,
        state__in=(State.QUEUED, State.HELD),
        expires_at__lte=timezone.now(),
    )
    expired = list(late.order_by("pk")[:BATCH])
    for message in expired:
        statuses.set_state(message, State.EXPIRED, "expired")
    statuses.save(organization_id, expired)
