"""Expires messages that could not be sent in time."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Min, QuerySet
from django.utils import timezone

from messaging.actions import outboxes, statuses
from messaging.models import CANCELLABLE_STATES, Message

State = Message.State

# So many messages expire in one transaction, which takes about a second.
AT_ONCE = 1000


def expire_all() -> datetime | None:
    """Expire the messages of all organizations whose time has passed.

    Return when the next one's passes.
    """
    first: datetime | None = _expiring().aggregate(first=Min("expires_at"))["first"]
    if first is None or first > timezone.now():
        return first
    found = _late().order_by().values_list("organization", flat=True).distinct()
    for organization_id in list(found):
        while _expire(organization_id) == AT_ONCE:
            pass
    return timezone.now()  # The next call finds out.


@transaction.atomic
def _expire(organization_id: int) -> int:
    return 0 if outboxes.lock(organization_id) is None else expire_locked(organization_id)


def expire_locked(organization_id: int) -> int:
    """Expire some messages of an organization that the caller has locked. Return how many."""
    late = _late().filter(organization=organization_id)
    return statuses.change_all(organization_id, late, State.EXPIRED, "expired", limit=AT_ONCE)


def _late() -> QuerySet[Message]:
    """Return the messages whose time has passed."""
    return _expiring().filter(expires_at__lte=timezone.now())


def _expiring() -> QuerySet[Message]:
    """Return the messages that expire: all that wait, but what a person has to decide about.

    Of that nobody knows whether it left before a backup was restored.
    """
    return Message.objects.filter(state__in=CANCELLABLE_STATES).exclude(reason=statuses.RESTORED)
