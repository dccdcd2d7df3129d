"""Expires messages that could not be sent in time."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from messaging.actions import outboxes, statuses
from messaging.models import Message

State = Message.State


# So many messages expire in one transaction, which takes about a second.
AT_ONCE = 1000


def expire(organization_id: int) -> None:
    """Expire the organization's messages whose time has passed."""
    while _expire(organization_id) == AT_ONCE:
        pass


@transaction.atomic
def _expire(organization_id: int) -> int:
    return 0 if outboxes.lock(organization_id) is None else expire_locked(organization_id)


def expire_locked(organization_id: int) -> int:
    """Expire some messages of an organization that the caller has locked. Return how many."""
    late = Message.objects.filter(
        organization=organization_id,
        state__in=(State.QUEUED, State.HELD),
        expires_at__lte=timezone.now(),
    )
    return statuses.change_all(organization_id, late, State.EXPIRED, "expired", limit=AT_ONCE)
