"""What an organization may send at the moment, for those who send."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from messaging.models import Contact, MessagingSettings

DAY = timedelta(days=1)

TEXT_LENGTH = 4096
"""Characters of a text that WhatsApp takes."""


@dataclass(frozen=True)
class Limits:
    """The limits of an organization, and how much of them is used. 0 is no limit."""

    per_minute: int
    new_recipients_per_day: int
    new_recipients_today: int
    waiting: int
    replies_only_until: datetime | None


def is_day_full(own: MessagingSettings, count: Callable[[], int] | None = None) -> bool:
    """Return whether as many new people were written to as these settings allow in 24 hours.

    `count`: returns how many, for callers that keep it; asked only where there is a limit.
    """
    if not own.new_per_day:
        return False
    written_to = count() if count else new_recipients(own.organization_id)
    return written_to >= own.new_per_day


def new_recipients(organization_id: int) -> int:
    """Return how many people were written to for the first time within 24 hours."""
    since = timezone.now() - DAY
    new = Contact.objects.filter(organization=organization_id, first_written_at__gt=since)
    return new.filter(Q(last_received_at=None) | Q(last_received_at__gt=since)).count()
