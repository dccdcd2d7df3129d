"""Expires messages that could not be sent in time."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from messaging.actions import outboxes, statuses
from messaging.models import Message

State = Message.State


@transaction.atomic
def expire(organization_id: int) -> None:
    """Expire the organization's messages whose time has passed."""
    if outboxes.lock(organization_id) is not None:
        expire_locked(organization_id)


def expire_locked(organization_id: int) -> None:
    """Do so in an organization whose messages the caller has locked."""
    late = Message.objects.filter(
        organization=organization_id,
        state__in=(State.QUEUED, State.HELD),
        expires_at__lte=timezone.now(),
    )
    statuses.change_all(organization_id, late, State.EXPIRED, "expired")
