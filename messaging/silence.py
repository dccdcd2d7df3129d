"""Numbers that are unusually silent: each is compared with its own past on this day of the week."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max, Q, QuerySet
from django.utils import timezone

from connections.lifecycle import State
from connections.models import Connection
from connections.status import with_effective_state
from messaging.models import Message, MessageDay
from organizations.models import Organization

WEEKS = 4
"""So many of the last weeks must have messages on this day of the week: enough history."""

LEAST = 5
"""Fewer messages a day, on average, prove nothing."""

# The first message may come so much later than on any of these days.
SLACK = timedelta(hours=1)


@dataclass(frozen=True)
class Silence:
    """A connected number that got nothing today. `usual`: messages on such a day, on average."""

    organization_id: int
    name: str
    usual: int
    last_received_at: datetime | None


def silent_numbers(
    organizations: QuerySet[Organization], received_today: Collection[int]
) -> list[Silence]:
    """Return the silent numbers of these organizations, those that usually get most first.

    `received_today`: the organizations that have got a message today.
    """
    usual = _usual_by_now(organizations)
    candidates = [pk for pk in usual if pk not in received_today]
    connected = with_effective_state(Connection.objects.filter(pk__in=candidates))
    connected = connected.filter(Q(effective_state=State.CONNECTED))
    names = dict(connected.values_list("pk", "organization__name"))
    last = _last_received(names)
    found = [Silence(pk, name, usual[pk], last.get(pk)) for pk, name in names.items()]
    return sorted(found, key=lambda each: (-each.usual, each.organization_id))


def _usual_by_now(organizations: QuerySet[Organization]) -> dict[int, int]:
    """Return usual numbers of messages, of organizations that should have got one by now."""
    now = timezone.localtime()
    days = [now.date() - timedelta(weeks=weeks) for weeks in range(1, WEEKS + 1)]
    rows = MessageDay.objects.filter(day__in=days, received__gt=0, organization__in=organizations)
    past: dict[int, list[tuple[int, datetime]]] = defaultdict(list)
    for pk, received, first in rows.values_list("organization", "received", "first_received_at"):
        past[pk].append((received, timezone.localtime(first)))
    latest = (now - SLACK).time() if now.hour else now.time().min
    return {
        pk: round(sum(received for received, _ in found) / WEEKS)
        for pk, found in past.items()
        if len(found) == WEEKS
        and sum(received for received, _ in found) >= LEAST * WEEKS
        and all(first.time() < latest for _, first in found)
    }


def _last_received(organizations: Collection[int]) -> dict[int, datetime]:
    if not organizations:
        return {}
    incoming = Message.objects.filter(
        organization__in=organizations, direction=Message.Direction.IN
    )
    rows = incoming.order_by().values_list("organization").annotate(last=Max("created_at"))
    return dict(rows)
