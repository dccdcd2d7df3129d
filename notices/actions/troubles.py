"""Keep the rows of troubles, in the transactions of the changes that begin and end them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.dispatch import receiver
from django.utils import timezone

from connections import broadcast
from connections.lifecycle import PAIRING, Desired, Reason, State
from connections.models import Connection, ConnectionEvent, Worker, Workforce
from connections.signals import connections_changed
from connections.status import with_effective_state
from events.troubles import TroubleReport, trouble_began, trouble_ended
from notices.models import Trouble
from notices.models.troubles import Thing

Level = Trouble.Level

CONNECTION = "connection"
NOTICES = "notices"
"""The kind of work that workers are notified of (`broadcast.notify_work`)."""
GRACE_PERIOD = timedelta(minutes=3)
"""How long a connection may come back by itself before people are told."""
RECOVERY_HOLD = timedelta(minutes=1)
"""How long a trouble has to be over before people are told; it goes on if it begins again."""


@receiver(connections_changed)
def follow_connections(
    sender: Any, changes: Sequence[tuple[Connection, ConnectionEvent]], **kwargs: Any
) -> None:
    """Begin, change or end the troubles of connections.

    A request of a person is no trouble, and ends none: whoever links a phone sees how it goes.
    """
    recovered, ended, troubled = [], [], []
    for _, event in changes:
        state, before = State(event.state), State(event.state_before)
        if state in PAIRING or state == before == State.CONNECTED:
            continue
        if state == State.CONNECTED:
            recovered.append(event)
        elif state == State.DISCONNECTED or event.reason == Reason.ORGANIZATION_INACTIVE:
            ended.append(event)
        else:
            troubled.append(event)
    _end_connections(recovered, recovered=True)
    _end_connections(ended, recovered=False)
    _write_connections(troubled)


def _end_connections(events: Sequence[ConnectionEvent], *, recovered: bool) -> None:
    if events:
        ids = [event.connection_id for event in events]
        _end(ids, CONNECTION, "", max(event.at for event in events), recovered=recovered)


def _write_connections(events: Sequence[ConnectionEvent]) -> None:
    """Begin or change the troubles of connections that are not connected."""
    if not events:
        return
    ids = [event.connection_id for event in events]
    found = _find(ids, CONNECTION, "", min(event.at for event in events))
    begun = []
    for event in events:
        pk = event.connection_id
        if event.state == State.ACTION_NEEDED:
            began_by_itself = event.state_before in (State.CONNECTED, State.RECONNECTING)
            if pk not in found and not began_by_itself:
                continue
            new = Trouble(level=Level.ACTION, reason=event.reason, due_at=event.at)
        else:
            due = event.at + GRACE_PERIOD
            new = Trouble(level=Level.WAITS, reason=event.reason, due_at=due)
        if pk in found:
            _change(found[pk], new)
        else:
            begun.append(_begun(new, pk, CONNECTION, "", event.at))
    Trouble.objects.bulk_create(begun)
    broadcast.notify_work(NOTICES)


def find_without_room() -> None:
    """Begin the troubles of connections whose worker is gone while all others are full.

    Their rows say that they are connected, and nobody claims them, so no change is ever recorded.
    The worker that claims one later records that the service was restarted: from there on it is a
    trouble like any other. It takes one query while the workers have room.
    """
    if Worker.workforce() == Workforce.FULL:
        _begin_without_room()


@transaction.atomic
def _begin_without_room() -> None:
    linked = Connection.objects.filter(desired=Desired.CONNECTED, state=State.CONNECTED)
    open_ = Trouble.objects.filter(organization=OuterRef("pk"), kind=CONNECTION, ended_at=None)
    found = with_effective_state(linked).filter(Q(effective_reason=Reason.NO_ROOM), ~Exists(open_))
    # Locked, so that nobody claims one of them meanwhile.
    locked = found.select_for_update(of=("self",), skip_locked=True).select_related("worker")
    rows = list(locked.order_by("pk"))
    if not rows:
        return
    now = timezone.now()
    known = _find([row.pk for row in rows], CONNECTION, "", now)
    begun = []
    for row in rows:
        lost_at = row.worker.heartbeat_at if row.worker else now
        due = lost_at + GRACE_PERIOD
        new = Trouble(level=Level.WAITS, reason=Reason.NO_ROOM, due_at=due)
        if row.pk in known:
            _change(known[row.pk], new)
        else:
            begun.append(_begun(new, row.pk, CONNECTION, "", lost_at))
    # Another worker may have found them, too.
    Trouble.objects.bulk_create(begun, ignore_conflicts=True)
    broadcast.notify_work(NOTICES)


@receiver(trouble_began)
def follow_report(sender: Any, trouble: TroubleReport, **kwargs: Any) -> None:
    """Begin or change a trouble that another app reports. It is told at once."""
    now = timezone.now()
    new = Trouble(
        level=Level.ACTION if trouble.needs_action else Level.WAITS,
        sentence=trouble.sentence,
        next_step=trouble.next_step,
        values=dict(trouble.values),
        path=trouble.path,
        due_at=now,
    )
    _write(new, trouble.organization_id, trouble.kind, trouble.key, now)


@receiver(trouble_ended)
def follow_end(
    sender: Any, organization_id: int | None, kind: str, key: str, recovered: bool, **kwargs: Any
) -> None:
    """End a trouble that another app has reported."""
    _end([organization_id], kind, key, timezone.now(), recovered=recovered)


def find_open(organization_ids: Collection[int | None]) -> dict[Thing, Trouble]:
    """Return the open troubles of organizations and of the installation, by what is in trouble."""
    of = Q(organization__in=organization_ids) | Q(organization=None)
    return {row.thing: row for row in Trouble.objects.filter(of, ended_at=None)}


def _find(
    organization_ids: Sequence[int | None], kind: str, key: str, now: datetime
) -> dict[int | None, Trouble]:
    """Return the open troubles of organizations, or those that were over for a moment only."""
    open_ = Q(ended_at=None) | Q(ended_at__gt=now - RECOVERY_HOLD, recovered=True)
    rows = Trouble.objects.filter(open_, _of(organization_ids), kind=kind, key=key)
    return {row.organization_id: row for row in rows.order_by("pk")}


def _of(organization_ids: Sequence[int | None]) -> Q:
    """Return the condition of the troubles of organizations, or of those of none: [None]."""
    if organization_ids == [None]:
        return Q(organization=None)
    return Q(organization__in=organization_ids)


def _write(new: Trouble, organization_id: int | None, kind: str, key: str, now: datetime) -> None:
    """Insert a trouble, or change what is stored of it."""
    broadcast.notify_work(NOTICES)
    found = _find([organization_id], kind, key, now).get(organization_id)
    if found is None:
        _begun(new, organization_id, kind, key, now).save()
    else:
        _change(found, new)


def _begun(
    new: Trouble, organization_id: int | None, kind: str, key: str, now: datetime
) -> Trouble:
    """Complete a trouble that begins."""
    new.organization_id, new.kind, new.key = organization_id, kind, key
    new.began_at, new.plan_at = now, new.due_at
    return new


def _change(found: Trouble, new: Trouble) -> None:
    """Change what is stored of a trouble."""
    if found.ended_at is not None or new.level > found.level:
        found.plan_at = found.due_at = new.due_at
    found.ended_at, found.recovered = None, False
    found.level = max(found.level, new.level)
    for name in ("reason", "sentence", "next_step", "values", "path"):
        setattr(found, name, getattr(new, name))
    found.save()


def _end(
    organization_ids: Sequence[int | None], kind: str, key: str, now: datetime, *, recovered: bool
) -> None:
    rows = Trouble.objects.filter(_of(organization_ids), kind=kind, key=key, ended_at=None)
    plan_at = now + RECOVERY_HOLD if recovered else now
    if rows.update(ended_at=now, recovered=recovered, plan_at=plan_at):
        broadcast.notify_work(NOTICES)
