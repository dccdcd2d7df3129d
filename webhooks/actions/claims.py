"""Leases of cursors: one worker at a time sends for a cursor.

A claim asks for many cursors in one query, and a cursor without anything to send costs none. Nor
does an event that no endpoint wants: its cursor stays behind until the next event that it wants, or
the next claim everywhere.

Leases use the database's clock alone: a worker whose clock is ahead would take what another sends.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from operator import itemgetter

from django.db import transaction
from django.db.models import BooleanField, ExpressionWrapper, F, Min, Q, QuerySet
from django.db.models.functions import Coalesce, Greatest, Now
from django.utils import timezone

from organizations.encryption import Undecryptable
from webhooks.actions import loading
from webhooks.actions.loading import Batch
from webhooks.models import Cursor, Endpoint

logger = logging.getLogger(__name__)

Kind = Cursor.Kind

Woken = Mapping[int, Collection[str] | None]
"""The types of the events that organizations have got; None: whatever is due there."""

PASSES = 4
"""Queries of one claim at most, when most of what is due is for hosts that have no more room."""
UNDECRYPTABLE_WAITS = timedelta(minutes=5)


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
    """The cursors that were claimed, and what each sends first.

    `more`: others are due as well, and there is no room. `elsewhere`: organizations in which
    another worker sends. `next_at`: where nothing was claimed anywhere, when the next one may be
    due; None without any.
    """

    cursors: list[Cursor]
    more: bool = False
    elsewhere: Collection[int] = ()
    batches: Mapping[int, Batch] = field(default_factory=dict)
    next_at: datetime | None = None


def claim(
    owner: str,
    lease: timedelta,
    room: Room,
    running: Collection[int],
    woken: Woken | None = None,
) -> Claimed:
    """Lease cursors that are due, of all organizations (None) or of some. Each is read anew.

    `running`: cursors that this worker still has in memory, whatever became of their leases.
    """
    due = _due().exclude(pk__in=running)
    if woken is None:
        chosen, more = _choose(due.filter(_free()), room)
        if not (chosen or more):
            return Claimed([], next_at=_next_at(running))
        claimed = _take(owner, lease, chosen, more)
        # Other workers were faster with all of it; what comes next was not asked.
        return claimed if claimed.cursors else replace(claimed, next_at=timezone.now())
    found, more, elsewhere = _choose_woken(due, room, woken)
    claimed = _take(owner, lease, list(found), more)
    # Another worker was faster, and may have read the log before it grew.
    missed = found.keys() - {cursor.pk for cursor in claimed.cursors}
    return replace(claimed, elsewhere=elsewhere | {found[pk] for pk in missed})


def _take(owner: str, lease: timedelta, chosen: list[int], more: bool) -> Claimed:
    """Lease cursors, those that are still free, and read what each sends first.

    What cannot be decrypted holds up its own cursor alone.
    """
    if not chosen:
        return Claimed([], more)
    try:
        with transaction.atomic():
            cursors = _lease(owner, lease, chosen)
            return Claimed(cursors, more, batches=loading.load(cursors))
    except Undecryptable:
        if len(chosen) == 1:
            logger.exception("a webhook waits for a key", extra={"cursor": chosen[0]})
            Cursor.objects.filter(pk=chosen[0]).update(due_at=timezone.now() + UNDECRYPTABLE_WAITS)
            return Claimed([], more=True)
    alone = [_take(owner, lease, [pk], more) for pk in chosen]
    return Claimed(
        [cursor for claimed in alone for cursor in claimed.cursors],
        more,
        batches={pk: batch for claimed in alone for pk, batch in claimed.batches.items()},
    )


def _next_at(running: Collection[int]) -> datetime | None:
    """Return when the next cursor is due, or its lease over, that has something to send."""
    waiting = _with_events().exclude(pk__in=running)
    free_at = Greatest("due_at", Coalesce("lease_until", "due_at"))
    first: datetime | None = waiting.aggregate(first=Min(free_at))["first"]
    return first


def _choose_woken(
    due: QuerySet[Cursor], room: Room, woken: Woken
) -> tuple[dict[int, int], bool, set[int]]:
    """Choose cursors of some organizations by one query, the longest waiting first.

    Return their organizations, whether other sound ones have no room, and where another worker
    sends.
    """
    chosen: dict[int, int] = {}
    elsewhere: set[int] = set()
    hosts, more = Counter(room.hosts), False
    left = {False: room.sound, True: room.slow}
    is_free = ExpressionWrapper(_free(), BooleanField())
    rows = due.filter(organization__in=list(woken)).annotate(is_free=is_free)
    fields = (
        "slow",
        "kind",
        "endpoint",
        "organization",
        "endpoint__host",
        "endpoint__types",
    )
    for cursor in rows.select_related("endpoint").only(*fields).order_by("slow", "due_at", "pk"):
        organization_id, host = cursor.organization_id or 0, cursor.endpoint.host
        if cursor.kind == Kind.LIVE and not cursor.endpoint.wants(woken[organization_id]):
            continue
        if not cursor.is_free:
            elsewhere.add(organization_id)
        elif left[cursor.slow] > 0 and hosts[host] < room.per_host:
            hosts[host] += 1
            left[cursor.slow] -= 1
            chosen[cursor.pk] = organization_id
        else:
            more = more or not cursor.slow
    return chosen, more, elsewhere


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
    """Return the cursors with something to send now."""
    return _with_events().filter(due_at__lte=timezone.now())


def _with_events() -> QuerySet[Cursor]:
    """Return the cursors with something to send, now or later."""
    enabled = Q(endpoint__state=Endpoint.State.ENABLED) | Q(kind=Kind.TEST)
    follows = Q(end=None, organization__event_counter__last__gt=F("position"))
    return Cursor.objects.filter(
        enabled,
        follows | Q(end__gt=F("position")),
        endpoint__deleted_at=None,
    )


def _free() -> Q:
    """Return the condition that no worker has a cursor."""
    return Q(lease_until=None) | Q(lease_until__lt=Now())


def _lease(owner: str, lease: timedelta, ids: list[int]) -> list[Cursor]:
    """Lease those of these cursors that are still due. Another worker may be quicker."""
    free = Cursor.objects.select_for_update(skip_locked=True, of=("self",)).filter(
        _free(), pk__in=ids, due_at__lte=timezone.now()
    )
    got = list(free.select_related("endpoint").order_by("pk"))
    for cursor in got:
        cursor.lease_owner = owner
    Cursor.objects.filter(pk__in=[cursor.pk for cursor in got]).update(
        lease_owner=owner, lease_until=Now() + lease
    )
    return got


@transaction.atomic
def renew(owner: str, lease: timedelta, ids: Collection[int]) -> set[int]:
    """Renew leases of this worker. Return those that it still has and shall keep.

    A lease is not kept for an endpoint that was paused or disabled.
    """
    held = Cursor.objects.filter(pk__in=lock(Cursor.objects.filter(pk__in=ids, lease_owner=owner)))
    held.update(lease_until=Now() + lease)
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
