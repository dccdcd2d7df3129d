"""Which connections a worker has to look at: they are not as they should be, or nobody has them."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Case, Q, QuerySet, Value, When
from django.db.models.functions import Now

from connections.lifecycle import State
from connections.models import Connection, SelfTest, Worker
from connections.models.conditions import (
    ACTIVE,
    DISCONNECTING,
    HOLDS_LINK,
    NOT_STARTED,
    owned_q,
)

DUE, RESTING, HELD = "due", "resting", "held"


def pending_connections(worker: Worker, running: frozenset[int], alone: bool = False) -> list[int]:
    """Connections whose sessions at this worker are not as they should be.

    Of its own: it has not begun their newest request, runs them although the organization is
    deactivated, or should run them (or log them out) and does not; or a test message waits. Of
    others, unless it is `alone` on this database: it runs them although it does not own them any
    more.
    """
    rows = list(_own(worker))
    own = _in_order(
        (pk, state)
        for pk, state, why in rows
        if why and (why == DUE or (pk in running) == (why == RESTING))
    )
    lost = running.difference(pk for pk, _, _ in rows)
    if alone or not lost:
        return own
    others = Connection.objects.filter(pk__in=lost).exclude(worker=worker)
    return [*own, *_in_order(others.values_list("pk", "state"))]


def _own(worker: Worker) -> QuerySet[Connection, tuple[int, str, str]]:
    """Those of a worker that it has to look at, or would have to if they ran, or if they did not.

    What runs is no part of the query: hundreds of numbers cost more than all of the rest.
    """
    waiting = SelfTest.objects.filter(taken_at=None, ended_at=None, expires_at__gt=Now())
    why = Case(
        # A deactivated organization may be disconnected, too.
        When(~ACTIVE & ~DISCONNECTING, then=Value(RESTING)),
        When(NOT_STARTED | Q(pk__in=waiting.values("connection")), then=Value(DUE)),
        When(HOLDS_LINK | DISCONNECTING, then=Value(HELD)),
    )
    found = Connection.objects.filter(worker=worker).annotate(why=why)
    return found.values_list("pk", "state", "why")


def unowned_connections() -> tuple[list[int], list[int]]:
    """Return the connections that need a worker and have none that lives, in two lists.

    The first are those that a person waits for; the others are to come back by themselves.
    """
    unowned = Connection.objects.busy().exclude(owned_q()).annotate(urgent=NOT_STARTED)
    rows = list(unowned.values_list("pk", "state", "urgent"))
    urgent = _in_order((pk, state) for pk, state, urgent in rows if urgent)
    return urgent, _in_order((pk, state) for pk, state, urgent in rows if not urgent)


def _in_order(rows: Iterable[tuple[int, str]]) -> list[int]:
    """Return the ids of these (id, state); those that people rely on right now come first."""
    return [pk for pk, _ in sorted(rows, key=lambda row: (row[1] != State.CONNECTED, row[0]))]
