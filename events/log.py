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


def append(organization_id: int, events: Iterable[NewEvent]) -> None:
    """Append events to an organization's log, within the caller's transaction."""
    append_all({organization_id: list(events)})


def append_all(events: Mapping[int, Sequence[NewEvent]]) -> None:
    """Append events to the logs of organizations, by id, within the caller's transaction.

    The counters are locked by their ids, upwards, so that two callers never wait for each other.
    """
    new = {organization_id: found for organization_id, found in events.items() if found}
    if not new:
        return
    assert transaction.get_connection().in_atomic_block, "append belongs into a transaction"
    last = _count_on({pk: len(found) for pk, found in new.items()})
    Event.objects.bulk_create(
        Event(
            organization_id=organization_id,
            sequence=last[organization_id] - len(new[organization_id]) + number,
            type=event.type,
            at=event.at,
            subject=event.subject,
            data=event.data,
        )
        for organization_id in sorted(new)
        for number, event in enumerate(new[organization_id], start=1)
    )
    notifications.notify_appended(
        {pk: {str(each.type) for each in found} for pk, found in new.items()}
    )


def lock(organization_id: int) -> int:
    """Lock an organization's log until the transaction ends. Return its newest sequence."""
    return _count_on({organization_id: 0})[organization_id]


def _count_on(counts: Mapping[int, int]) -> dict[int, int]:
    """Lock the counters of organizations, and add to each. Return what they say then."""
    table = EventCounter._meta.db_table
    values = ", ".join(["(%s, %s)"] * len(counts))
    with transaction.get_connection().cursor() as cursor:
        # One statement, as each message waits for it (docs/performance.md). The rows are locked in
        # their order.
        cursor.execute(
            f"INSERT INTO {table} (organization_id, last) VALUES {values} "
            f"ON CONFLICT (organization_id) DO UPDATE SET last = {table}.last + excluded.last "
            "RETURNING organization_id, last",
            [value for row in sorted(counts.items()) for value in row],
        )
        return dict(cursor.fetchall())


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
