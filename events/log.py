"""Writes and reads the log of an organization.

`append` locks the organization's counter until the transaction ends. So a reader who has seen a
sequence never misses a smaller one that commits later, and a cursor is one number.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.dispatch import Signal
from django.utils import timezone

from events import notifications
from events.models import Event, EventCounter, EventType

REDACTED_AT_ONCE = 500

redacted = Signal()
"""Keyword argument: `events`, whose data was removed. Other apps remove what they have of them."""


@dataclass(frozen=True)
class NewEvent:
    """An event to append. `data`: what the API shows of it, as JSON."""

    type: EventType
    data: dict[str, Any]
    subject: str = ""
    at: datetime = field(default_factory=timezone.now)


def append(organization_id: int, events: Iterable[NewEvent]) -> list[Event]:
    """Append events to an organization's log, within the caller's transaction.

    Callers that write several organizations in one transaction go by their ids, upwards, so that
    two of them never wait for each other.
    """
    new = list(events)
    if not new:
        return []
    assert transaction.get_connection().in_atomic_block, "append belongs into a transaction"
    last = _reserve(organization_id, len(new))
    rows = [
        Event(
            organization_id=organization_id,
            sequence=last + number,
            type=event.type,
            at=event.at,
            subject=event.subject,
            data=event.data,
        )
        for number, event in enumerate(new, start=1)
    ]
    Event.objects.bulk_create(rows)
    notifications.notify_appended(organization_id)
    return rows


def _reserve(organization_id: int, count: int) -> int:
    """Lock the counter and raise it. Return the sequence before the first new event."""
    before = lock(organization_id)
    EventCounter.objects.filter(organization=organization_id).update(last=before + count)
    return before


def lock(organization_id: int) -> int:
    """Lock an organization's log until the transaction ends. Return its newest sequence."""
    counters = EventCounter.objects.select_for_update().filter(organization=organization_id)
    counter = counters.first()
    if counter is None:
        EventCounter.objects.bulk_create(
            [EventCounter(organization_id=organization_id)], ignore_conflicts=True
        )
        counter = counters.get()
    return counter.last


def read(
    organization_id: int, after: int, limit: int, types: Collection[str] = ()
) -> Sequence[Event]:
    """Return the events after a sequence, oldest first, of all types or of some."""
    found: QuerySet[Event] = Event.objects.filter(organization=organization_id, sequence__gt=after)
    if types:
        found = found.filter(type__in=types)
    return list(found.order_by("sequence")[:limit])


def last_sequence(organization_id: int) -> int:
    """Return the sequence of the newest event, 0 for none."""
    counter = EventCounter.objects.filter(organization=organization_id).first()
    return counter.last if counter else 0


def redact(
    events: QuerySet[Event],
    kept: Collection[str],
    matches: Callable[[Mapping[str, Any]], bool] = lambda data: True,
) -> None:
    """Remove all but some keys from the data of events, as when texts are erased.

    `matches`: whether an event with this data is one of them.
    """
    last = 0
    while page := list(events.filter(pk__gt=last).order_by("pk")[:REDACTED_AT_ONCE]):
        last = page[-1].pk
        found = [event for event in page if matches(event.data)]
        for event in found:
            event.data = {key: value for key, value in event.data.items() if key in kept}
        Event.objects.bulk_update(found, ["data"], batch_size=100)
        redacted.send(sender=Event, events=found)
