"""The events that were given up and have not arrived since."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Exists, Min, OuterRef, QuerySet

from webhooks.models import Cursor, Delivery, Endpoint

State = Delivery.State


@dataclass(frozen=True)
class Undelivered:
    """`first`: the smallest sequence of an organization; `since`: the time of the first event."""

    events: int
    since: datetime
    first: int


def undelivered_of(endpoint: Endpoint) -> Undelivered | None:
    """Return the events that an endpoint lacks because they were given up, None for none."""
    arrived = Delivery.objects.filter(
        endpoint=endpoint,
        organization=OuterRef("organization"),
        sequence=OuterRef("sequence"),
        state=State.DELIVERED,
    ).exclude(cursor__kind=Cursor.Kind.TEST)
    dead = _given_up(endpoint).exclude(Exists(arrived)).order_by()
    found = dead.aggregate(
        events=Count("sequence", distinct=True), since=Min("event_at"), first=Min("sequence")
    )
    return Undelivered(**found) if found["events"] else None


def has_given_up(endpoint: Endpoint) -> bool:
    """Return whether events were given up, arrived or not, of which there are rows still."""
    return _given_up(endpoint).exists()


def _given_up(endpoint: Endpoint) -> QuerySet[Delivery]:
    dead = Delivery.objects.filter(endpoint=endpoint, state=State.DEAD)
    return dead.exclude(cursor__kind=Cursor.Kind.TEST)
