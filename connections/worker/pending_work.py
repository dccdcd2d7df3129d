"""Which connections a worker has to look at: they are not as they should be, or nobody has them."""

from __future__ import annotations

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

# Those that people rely on right now come first.
NEWEST = Case(When(state=State.CONNECTED, then=0), default=1)
DUE, RESTING, HELD = "due", "resting", "held"


def pending_connections(worker: Worker, running: frozenset[int], alone: bool = False) -> list[int]:
    """Connections whose sessions at this worker are not as they should be.

    Of its own: it has not begun their newest request, runs them although the organization is
    deactivated, or should run them (or log them out) and does not; or a test message waits. Of
    others, unless it is `alone` on this database: it runs them although it does not own them any
    more.
    """
    own = [
        pk
        for pk, why in _own(worker)
        if why and (why == DUE or (pk in running) == (why == RESTING))
    ]
    if alone or not running:
        return own
    lost = Connection.objects.filter(pk__in=running).exclude(worker=worker)
    return [*own, *_in_order(lost)]


def _own(worker: Worker) -> QuerySet[Connection, tuple[int, str]]:
    """Those of a worker that it has to look at, or would have to if they ran, or if they did not.

    What runs is no part of the query: hundreds of numbers cost more than all of the rest.
    """
    waiting = SelfTest.objects.filter(taken_at=None, ended_at=None, expires_at__gt=Now())
    # Who is deactivated may leave, too.
    due = (NOT_STARTED & (ACTIVE | DISCONNECTING)) | Q(pk__in=waiting.values("connection"))
    resting = ~ACTIVE & ~DISCONNECTING
    why = Case(
        When(due, then=Value(DUE)),
        When(resting, then=Value(RESTING)),
        When(HOLDS_LINK | DISCONNECTING, then=Value(HELD)),
    )
    found = Connection.objects.filter(worker=worker).annotate(why=why)
    return found.order_by(NEWEST, "pk").values_list("pk", "why")


def unowned_connections(unbegun: bool) -> list[int]:
    """Connections that need a worker and have none that lives.

    `unbegun`: those that a person waits for, else those that are to come back by themselves.
    """
    free = Connection.objects.busy().exclude(owned_q())
    return _in_order(free.filter(NOT_STARTED) if unbegun else free.exclude(NOT_STARTED))


def _in_order(connections: QuerySet[Connection]) -> list[int]:
    return list(connections.order_by(NEWEST, "pk").values_list("pk", flat=True))
