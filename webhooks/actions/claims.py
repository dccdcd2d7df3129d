"""Leases of cursors: one worker at a time sends for a cursor.

A claim asks for many cursors in one query, and a cursor without anything to send costs none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter

from django.db import transaction
from django.db.models import F, Min, Q, QuerySet
from django.db.models.functions import Coalesce, Greatest
from django.utils import timezone

from webhooks.models import Cursor, Endpoint

Kind = Cursor.Kind

PASSES = 4
"""Queries of one claim at most, when most of what is due is for hosts that have no more room."""


@dataclass(frozen=True)
class Room:
    """How many cursors a worker takes: those whose last attempt failed have room of their own.

    `hosts`: how many it has of each host, `per_host`: how many it has of one at most.
    """

    sound: int
    slow: int
    hosts: Mapping[str, int]
    per_host: int


@dataclass(frozen=True)
class Claimed:
    """The cursors that were claimed. `more`: others are due as well, and there is no room.

    `next_at`: where nothing was due anywhere, when the next one will be; None without any.
    """

    cursors: list[Cursor]
    more: bool = False
    next_at: datetime | None = None


def claim(
    owner: str,
    lease: timedelta,
    room: Room,
    running: Collection[int],
    organizations: Collection[int] | None = None,
) -> Claimed:
    """Lease cursors that are due, of all organizations (None) or of some. Each is read anew.

    `running`: cursors that this worker still has in memory, whatever became of their leases.
    """
    due = _due().exclude(pk__in=running)
    if organizations is not None:
        due = due.filter(organization__in=organizations)
    chosen, more = _choose(due, room)
    if chosen or more or organizations is not None:
        return Claimed(_lease(owner, lease, chosen) if chosen else [], more)
    return Claimed([], next_at=_next_at(running))


def _next_at(running: Collection[int]) -> datetime | None:
    """Return when the next cursor is due, or its lease over, that has something to send."""
    waiting = _with_events().exclude(pk__in=running)
    free_at = Greatest("due_at", Coalesce("lease_until", "due_at"))
    first: datetime | None = waiting.aggregate(first=Min(free_at))["first"]
    return first


def _choose(due: QuerySet[Cursor], room: Room) -> tuple[list[int], bool]:
    """Choose cursors, the longest waiting first, and of those that are read the sound ones.

    Return them, and whether other sound ones have no room.
    """
    chosen: list[int] = []
    hosts, more = Counter(room.hosts), False
    left = {False: room.sound, True: room.slow}
    for _ in range(PASSES):
        kinds = [slow for slow, count in left.items() if count > 0]
        if not kinds:
            return chosen, True
        full = [host for host, count in hosts.items() if count >= room.per_host]
        rows = due.filter(slow__in=kinds).exclude(endpoint__host__in=full).exclude(pk__in=chosen)
        wanted = sum(left[slow] for slow in kinds)
        columns = rows.order_by("due_at", "pk").values_list("slow", "pk", "endpoint__host")
        found = list(columns[:wanted])
        for slow, pk, host in sorted(found, key=itemgetter(0)):
            if left[slow] > 0 and hosts[host] < room.per_host:
                hosts[host] += 1
                left[slow] -= 1
                chosen.append(pk)
            else:
                more = more or not slow
        if len(found) < wanted:
            return chosen, more or left[False] <= 0
    return chosen, True


def _due() -> QuerySet[Cursor]:
    """Return the cursors with something to send now, and without a worker."""
    now = timezone.now()
    free = Q(lease_until=None) | Q(lease_until__lt=now)
    return _with_events().filter(free, due_at__lte=now)


def _with_events() -> QuerySet[Cursor]:
    """Return the cursors with something to send, now or later."""
    enabled = Q(endpoint__state=Endpoint.State.ENABLED) | Q(kind=Kind.TEST)
    follows = Q(end=None, organization__event_counter__last__gt=F("position"))
    return Cursor.objects.filter(
        enabled,
        follows | Q(end__gt=F("position")),
        endpoint__deleted_at=None,
    )


@transaction.atomic
def _lease(owner: str, lease: timedelta, ids: list[int]) -> list[Cursor]:
    """Lease those of these cursors that are still due. Another worker may be quicker."""
    now = timezone.now()
    free = Cursor.objects.select_for_update(skip_locked=True, of=("self",)).filter(
        Q(lease_until=None) | Q(lease_until__lt=now), pk__in=ids, due_at__lte=now
    )
    got = list(free.select_related("endpoint").order_by("pk"))
    for cursor in got:
        cursor.lease_owner, cursor.lease_until = owner, now + lease
    Cursor.objects.filter(pk__in=[cursor.pk for cursor in got]).update(
        lease_owner=owner, lease_until=now + lease
    )
    return got


@transaction.atomic
def renew(owner: str, lease: timedelta, ids: Collection[int]) -> set[int]:
    """Renew leases of this worker. Return those that it still has and shall keep.

    A lease is not kept for an endpoint that was paused or disabled.
    """
    held = Cursor.objects.filter(pk__in=lock(Cursor.objects.filter(pk__in=ids, lease_owner=owner)))
    held.update(lease_until=timezone.now() + lease)
    enabled = Q(endpoint__state=Endpoint.State.ENABLED) | Q(kind=Kind.TEST)
    return set(held.filter(enabled).values_list("pk", flat=True))


@transaction.atomic
def release(owner: str) -> None:
    """Give back all leases of a worker."""
    held = lock(Cursor.objects.filter(lease_owner=owner))
    Cursor.objects.filter(pk__in=held).update(lease_owner="", lease_until=None)


def lock(cursors: QuerySet[Cursor]) -> list[int]:
    """Lock cursors, in the order in which all do, so that no two wait for each other."""
    return list(cursors.select_for_update().order_by("pk").values_list("pk", flat=True))


def release_all() -> None:
    """Give back the leases of a worker that is gone, where there is only one at a time."""
    Cursor.objects.exclude(lease_until=None).update(lease_owner="", lease_until=None)
