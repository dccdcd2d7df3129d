"""Keep the rows of troubles, in the transactions of the changes that begin and end them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.dispatch import receiver
from django.utils import timezone

from connections import broadcast
from connections.lifecycle import PAIRING, Reason, State
from connections.models import Connection, ConnectionEvent
from connections.signals import connection_changed
from events import troubles as reports
from events.troubles import trouble_began, trouble_ended
from notices.models import Trouble

Level = Trouble.Level

CONNECTION = "connection"
NOTICES = "notices"
"""The kind of work that workers are notified of (`broadcast.notify_work`)."""
RECONNECTING_FOR = timedelta(minutes=3)
"""How long a connection may come back by itself before people are told."""
HOLDS_FOR = timedelta(minutes=1)
"""How long a trouble has to be over before people are told; it goes on if it begins again."""


@receiver(connection_changed)
def follow_connection(
    sender: Any, connection: Connection, event: ConnectionEvent, **kwargs: Any
) -> None:
    """Begin, change or end the trouble of a connection.

    A request of a person is no trouble, and ends none: whoever links a phone sees how it goes.
    """
    state, before = State(event.state), State(event.state_before)
    if state in PAIRING or state == before == State.CONNECTED:
        return
    if state == State.CONNECTED:
        _end(connection.pk, CONNECTION, "", event.at, recovered=True)
    elif state == State.DISCONNECTED or event.reason == Reason.ORGANIZATION_INACTIVE:
        _end(connection.pk, CONNECTION, "", event.at, recovered=False)
    elif state == State.ACTION_NEEDED:
        began_by_itself = before in (State.CONNECTED, State.RECONNECTING)
        found = _find(connection.pk, CONNECTION, "", event.at)
        if found or began_by_itself:
            new = Trouble(level=Level.ACTION, reason=event.reason, due_at=event.at)
            _write(found, new, connection.pk, CONNECTION, "", event.at)
    else:
        due = event.at + RECONNECTING_FOR
        new = Trouble(level=Level.WAITS, reason=event.reason, due_at=due)
        found = _find(connection.pk, CONNECTION, "", event.at)
        _write(found, new, connection.pk, CONNECTION, "", event.at)


@receiver(trouble_began)
def follow_report(sender: Any, trouble: reports.Trouble, **kwargs: Any) -> None:
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
    found = _find(trouble.organization_id, trouble.kind, trouble.key, now)
    _write(found, new, trouble.organization_id, trouble.kind, trouble.key, now)


@receiver(trouble_ended)
def follow_end(
    sender: Any, organization_id: int | None, kind: str, key: str, recovered: bool, **kwargs: Any
) -> None:
    """End a trouble that another app has reported."""
    _end(organization_id, kind, key, timezone.now(), recovered=recovered)


def _find(organization_id: int | None, kind: str, key: str, now: datetime) -> Trouble | None:
    """Return the open trouble, or the one that was over for a moment only."""
    open_ = Q(ended_at=None) | Q(ended_at__gt=now - HOLDS_FOR, recovered=True)
    rows = Trouble.objects.filter(open_, organization=organization_id, kind=kind, key=key)
    return rows.order_by("-pk").first()


def _write(
    found: Trouble | None,
    new: Trouble,
    organization_id: int | None,
    kind: str,
    key: str,
    now: datetime,
) -> None:
    """Insert a trouble, or change what is stored of it."""
    broadcast.notify_work(NOTICES)
    if found is None:
        new.organization_id, new.kind, new.key = organization_id, kind, key
        new.began_at, new.plan_at = now, new.due_at
        new.save()
        return
    if found.ended_at is not None or new.level > found.level:
        found.plan_at = found.due_at = new.due_at
    found.ended_at, found.recovered = None, False
    found.level = max(found.level, new.level)
    for name in ("reason", "sentence", "next_step", "values", "path"):
        setattr(found, name, getattr(new, name))
    found.save()


def _end(
    organization_id: int | None, kind: str, key: str, now: datetime, *, recovered: bool
) -> None:
    rows = Trouble.objects.filter(organization=organization_id, kind=kind, key=key, ended_at=None)
    plan_at = now + HOLDS_FOR if recovered else now
    if rows.update(ended_at=now, recovered=recovered, plan_at=plan_at):
        broadcast.notify_work(NOTICES)
