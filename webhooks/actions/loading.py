"""Read what cursors are to send next, for many of them at once."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import or_

from django.db.models import Q

from events.models import Event, EventCounter
from webhooks.formats import FORMATS, TEST_TYPE, OutgoingRequest
from webhooks.models import Cursor, Delivery

logger = logging.getLogger(__name__)

READ = 20
"""Sequences that a cursor reads at a time: a worker that is killed sends so many again at most."""
SKIP = 1000
"""So many after a part of the log without any event for it."""
BATCH_BYTES = 128 * 1024
"""A batch ends with the event that brings it to this size, as workers hold many of them."""
CURSORS_PER_QUERY = 50
OPEN_STATES = (Delivery.State.WAITING, Delivery.State.RETRYING)
TEST_TEXT = "This is a test. It is in no log, and there is nothing to do about it."

Kind = Cursor.Kind
Key = tuple[int, int]


@dataclass(frozen=True)
class Item:
    """An event to send, and its delivery, stored or new. `requests`: None if it has no form."""

    delivery: Delivery
    requests: list[OutgoingRequest] | None


@dataclass(frozen=True)
class Batch:
    """What a cursor sends next, and its position afterwards.

    `drained`: there is nothing behind it. `dropped`: deliveries whose event was deleted, or erased
    so that their format does not tell it any more.
    """

    items: list[Item]
    end: int
    drained: bool
    dropped: list[Delivery] = field(default_factory=list)


def load(cursors: Sequence[Cursor], skip: Iterable[int] = ()) -> dict[int, Batch]:
    """Return the next batch of each cursor by its key.

    `skip`: cursors that found nothing in the part before.
    """
    if not cursors:
        return {}
    windows = _windows(cursors, frozenset(skip))
    events = _events(cursors, windows)
    stored = Delivery.objects.filter(cursor__in=cursors, state__in=OPEN_STATES)
    pending: dict[int, dict[int, Delivery]] = defaultdict(dict)
    for delivery in stored:
        pending[delivery.cursor_id][delivery.sequence] = delivery
    originals = _originals(cursors, windows)
    return {
        cursor.pk: _batch(
            cursor, windows[cursor.pk], events[cursor.pk], pending[cursor.pk], originals
        )
        for cursor in cursors
    }


@dataclass(frozen=True)
class _Window:
    """The sequences that a cursor reads now: behind `start` up to `end`, of `last` in all."""

    start: int
    end: int
    last: int

    def condition(self, cursor: Cursor) -> Q:
        found = Q(sequence__gt=self.start, sequence__lte=self.end)
        return found & Q(organization=cursor.organization_id)


def _windows(cursors: Sequence[Cursor], skip: frozenset[int]) -> dict[int, _Window]:
    organizations = {cursor.organization_id for cursor in cursors if cursor.end is None}
    counters = EventCounter.objects.filter(organization__in=organizations)
    last = dict(counters.values_list("organization_id", "last")) if organizations else {}
    windows = {}
    for cursor in cursors:
        end = last.get(cursor.organization_id or 0, 0) if cursor.end is None else cursor.end
        reach = cursor.position + (SKIP if cursor.pk in skip else READ)
        windows[cursor.pk] = _Window(cursor.position, min(reach, end), end)
    return windows


def _events(cursors: Sequence[Cursor], windows: dict[int, _Window]) -> dict[int, list[Event]]:
    """Return the events that each cursor is to send, in their order."""
    reading = [cursor for cursor in cursors if cursor.kind != Kind.TEST]
    reading = [found for found in reading if windows[found.pk].start < windows[found.pk].end]
    events: dict[int, list[Event]] = defaultdict(list)
    for start in range(0, len(reading), CURSORS_PER_QUERY):
        part = reading[start : start + CURSORS_PER_QUERY]
        conditions = (windows[cursor.pk].condition(cursor) & _types(cursor) for cursor in part)
        by_organization: dict[int, list[Event]] = defaultdict(list)
        for event in Event.objects.filter(reduce(or_, conditions)).order_by("sequence"):
            by_organization[event.organization_id].append(event)
        for cursor in part:
            window, types = windows[cursor.pk], cursor.endpoint.types
            events[cursor.pk] = [
                event
                for event in by_organization[cursor.organization_id or 0]
                if window.start < event.sequence <= window.end
                and (not types or event.type in types)
            ]
    return events


def _types(cursor: Cursor) -> Q:
    return Q(type__in=cursor.endpoint.types) if cursor.endpoint.types else Q()


def _originals(cursors: Sequence[Cursor], windows: dict[int, _Window]) -> dict[Key, dict[int, int]]:
    """Return the deliveries that replays repeat, by endpoint and organization, then sequence."""
    found: dict[Key, dict[int, int]] = defaultdict(dict)
    replays = [cursor for cursor in cursors if cursor.kind == Kind.REPLAY]
    for start in range(0, len(replays), CURSORS_PER_QUERY):
        conditions = (
            windows[cursor.pk].condition(cursor) & Q(endpoint=cursor.endpoint_id)
            for cursor in replays[start : start + CURSORS_PER_QUERY]
        )
        rows = Delivery.objects.filter(reduce(or_, conditions), cursor__kind=Kind.LIVE)
        for pk, endpoint, organization, sequence in rows.values_list(
            "pk", "endpoint_id", "organization_id", "sequence"
        ):
            found[(endpoint, organization or 0)][sequence] = pk
    return found


def _batch(
    cursor: Cursor,
    window: _Window,
    events: list[Event],
    pending: dict[int, Delivery],
    originals: dict[Key, dict[int, int]],
) -> Batch:
    if cursor.kind == Kind.TEST:
        events = [test_event(delivery) for delivery in pending.values()]
    repeated = originals.get((cursor.endpoint_id, cursor.organization_id or 0), {})
    items: list[Item] = []
    size, end = 0, window.end
    for event in events:
        if size >= BATCH_BYTES:
            end = items[-1].delivery.sequence
            break
        requests = _requests(event, cursor)
        if requests == []:
            continue
        size += sum(len(request.body) for request in requests or ())
        sequence = event.sequence or 1
        delivery = pending.pop(sequence, None) or Delivery(
            organization_id=cursor.organization_id,
            original_id=repeated.get(sequence),
            sequence=sequence,
            type=event.type,
            event_at=event.at,
        )
        delivery.cursor, delivery.endpoint = cursor, cursor.endpoint
        items.append(Item(delivery, requests))
    # Also those of events that were erased since, and are skipped above.
    # A delivery is behind the window only after the log was cut; then it is dropped later.
    dropped = [found for sequence, found in pending.items() if sequence <= end]
    return Batch(items, end, end >= window.last, dropped)


def test_event(delivery: Delivery) -> Event:
    """Return the event of a test, which is in no log."""
    event = Event(sequence=0, type=TEST_TYPE, at=delivery.event_at, data={"text": TEST_TEXT})
    if delivery.organization_id is not None:
        event.organization_id = delivery.organization_id
    return event


def _requests(event: Event, cursor: Cursor) -> list[OutgoingRequest] | None:
    """Return what to send of an event, None when its format cannot say it."""
    try:
        return FORMATS[cursor.endpoint.format].requests(event, cursor.endpoint)
    except Exception:
        # It counts as a failed attempt of this event alone, so nobody else's events wait for it.
        logger.exception(
            "an event has no form for a webhook",
            extra={"organization": event.organization_id, "sequence": event.sequence},
        )
        return None
