"""How many messages came in and went out today, wait, or failed: of one organization or of many."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, time

from django.db import connection
from django.db.models import Count, Min, Q, QuerySet
from django.utils import timezone

from messaging.models import ACCEPTED_STATES, FAILED_STATES, UNSENT_STATES, Message
from organizations.access import Caller

State, Direction = Message.State, Message.Direction

RECEIVED = Q(direction=Direction.IN) & ~Q(state=State.LOST)
SENT = Q(direction=Direction.OUT, state__in=ACCEPTED_STATES)
"""What counts as in and out."""

COUNTED = {
    "received": RECEIVED,
    "sent": SENT,
    "failed": Q(direction=Direction.OUT, state__in=FAILED_STATES),
    "unknown": Q(direction=Direction.OUT, state=State.UNKNOWN),
    "lost": Q(state=State.LOST),
}
"""What of today counts as what, by the name in `Traffic`."""


@dataclass
class Traffic:
    """Counts of today, and of what waits at all. `oldest`: since when the oldest one waits."""

    received: int = 0
    sent: int = 0
    failed: int = 0
    unknown: int = 0
    lost: int = 0
    waiting: int = 0
    held: int = 0
    oldest: datetime | None = None

    def add(self, other: Traffic) -> None:
        """Add the counts of another organization."""
        for name in ("received", "sent", "failed", "unknown", "lost", "waiting", "held"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        times = [time for time in (self.oldest, other.oldest) if time]
        self.oldest = min(times, default=None)

    @property
    def unsent(self) -> int:
        """How many messages wait for anything: their turn, the link or a decision."""
        return self.waiting + self.held


def midnight() -> datetime:
    """Return when today began, in the installation's time zone."""
    return start_of_day(timezone.localdate())


def start_of_day(day: date) -> datetime:
    """Return when a day began, in the installation's time zone."""
    return timezone.make_aware(datetime.combine(day, time.min))


def visible_messages(caller: Caller) -> QuerySet[Message]:
    """Return the messages of the organizations that this caller sees."""
    if caller.is_superuser and connection.vendor != "sqlite":
        return Message.objects.all()
    # SQLite, without statistics, finds the index of `since` only by organizations.
    return Message.objects.filter(organization__in=caller.organizations)


def since(messages: QuerySet[Message], at: datetime) -> QuerySet[Message]:
    """Return the messages since a time.

    All directions are named, so that the index of organizations, directions and times is used; it
    has the states too, so that no rows are read. See docs/performance.md.
    """
    return messages.filter(direction__in=Direction.values, created_at__gte=at)


def traffic_by_organization(messages: QuerySet[Message]) -> dict[int, Traffic]:
    """Return the traffic of the organizations that have any among these messages."""
    # Of a column of the index, so that PostgreSQL reads nothing else either.
    counts = {name: Count("organization", filter=each) for name, each in COUNTED.items()}
    today = since(messages, midnight()).order_by().values("organization").annotate(**counts)
    found: dict[int, Traffic] = defaultdict(Traffic)
    for organization_id, *numbers in today.values_list("organization", *COUNTED):
        found[organization_id] = Traffic(**dict(zip(COUNTED, numbers, strict=True)))
    unsent = messages.filter(state__in=UNSENT_STATES).order_by()
    waiting = unsent.values_list("organization", "state").annotate(
        number=Count("pk"), oldest=Min("created_at")
    )
    for organization_id, state, number, oldest in waiting:
        add = Traffic(held=number) if state == State.HELD else Traffic(waiting=number)
        add.oldest = None if state == State.HELD else oldest
        found[organization_id].add(add)
    return dict(found)


def traffic_of(organization_id: int) -> Traffic:
    """Return the traffic of one organization."""
    own = Message.objects.filter(organization=organization_id)
    return traffic_by_organization(own).get(organization_id, Traffic())
