"""Queries for the connections that a worker must reconcile or may claim."""

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

DUE, INACTIVE, NEEDS_TASK = "due", "inactive", "needs_task"


def pending_connections(worker: Worker, running: frozenset[int], alone: bool = False) -> list[int]:
    """Return the connections whose tasks at this worker must change.

    Its own connections: the newest request has not started, a task runs although the organization
    is deactivated, a task should run (or log out) and does not, or a test message is pending.
    Others, unless it is `alone` on this database: a task runs although it lost the connection.

    `running`: the connections that have a task at this worker.
    """
    rows = list(_owned_by(worker))
    own = _ordered_ids(
        (pk, state)
        for pk, state, why in rows
        if why and (why == DUE or (pk in running) == (why == INACTIVE))
    )
    lost = running.difference(pk for pk, _, _ in rows)
    if alone or not lost:
        return own
    others = Connection.objects.filter(pk__in=lost).exclude(worker=worker)
    return [*own, *_ordered_ids(others.values_list("pk", "state"))]


def _owned_by(worker: Worker) -> QuerySet[Connection, tuple[int, str, str]]:
    """Return a worker's connections with the reason to reconcile them, which may need `running`.

    `running` is not part of the query: hundreds of ids would cost more than all the rest.
    """
    pending_tests = SelfTest.objects.filter(taken_at=None, ended_at=None, expires_at__gt=Now())
    why = Case(
        # A deactivated organization may be disconnected, too.
        When(~ACTIVE & ~DISCONNECTING, then=Value(INACTIVE)),
        When(NOT_STARTED | Q(pk__in=pending_tests.values("connection")), then=Value(DUE)),
        When(HOLDS_LINK | DISCONNECTING, then=Value(NEEDS_TASK)),
    )
    owned = Connection.objects.filter(worker=worker).annotate(why=why)
    return owned.values_list("pk", "state", "why")


def unowned_connections() -> tuple[list[int], list[int]]:
    """Return the connections that need a worker and have no living one, in two lists.

    The first have a request that has not started, for which a person waits; the others reconnect
    by themselves.
    """
    unowned = Connection.objects.busy().exclude(owned_q()).annotate(urgent=NOT_STARTED)
    rows = list(unowned.values_list("pk", "state", "urgent"))
    urgent = _ordered_ids((pk, state) for pk, state, urgent in rows if urgent)
    return urgent, _ordered_ids((pk, state) for pk, state, urgent in rows if not urgent)


def _ordered_ids(rows: Iterable[tuple[int, str]]) -> list[int]:
    """Return the ids of these (id, state), connected organizations first: people use them."""
    return [pk for pk, _ in sorted(rows, key=lambda row: (row[1] != State.CONNECTED, row[0]))]
