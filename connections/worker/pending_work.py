"""Which connections a worker has to look at: they are not as they should be, or nobody has them."""

from __future__ import annotations

from functools import lru_cache

from django.db.models import Case, F, Q, QuerySet, Value, When
from django.db.models.functions import Now

from connections.lifecycle import LIVE, Desired, Reason, State
from connections.models import Connection, SelfTest, Worker
from connections.prepared import Prepared

UNBEGUN = Q(generation__gt=F("started_generation"))
# Those that people rely on right now come first.
NEWEST = Case(When(state=State.CONNECTED, then=0), default=1)
DUE, RESTING = "due", "resting"


def pending_connections(worker: Worker, running: frozenset[int], alone: bool = False) -> list[int]:
    """Connections whose sessions at this worker are not as they should be.

    Of its own: it has not begun their newest request, runs them although the organization is
    deactivated, or should run them (or log them out) and does not; or a test message waits. Of
    others, unless it is `alone` on this database: it runs them although it does not own them any
    more.
    """
    own = [
        pk
        for pk, _, why in _own(worker.pk).rows()
        if why == DUE or (pk in running) == (why == RESTING)
    ]
    if alone or not running:
        return own
    lost = Connection.objects.filter(pk__in=running).exclude(worker=worker)
    return [*own, *_in_order(lost)]


@lru_cache(maxsize=4)
def _own(worker_id: int) -> Prepared:
    """Those of a worker that it has to look at, or would have to if they ran, or if they did not.

    What runs is no part of the query: hundreds of numbers cost more than all of the rest.
    """
    waiting = SelfTest.objects.filter(taken_at=None, ended_at=None, expires_at__gt=Now())
    awake = Q(organization__deactivated_at=None)
    # As Connection.disconnecting; who is deactivated may leave, too.
    failed = Q(state=State.ACTION_NEEDED) & ~Q(reason=Reason.DISCONNECTING)
    leaving = Q(logout_pending=True) & ~failed
    due = (UNBEGUN & (awake | leaving)) | Q(pk__in=waiting.values("connection"))
    resting = ~awake & ~leaving
    linked = ~Q(store_name="") & Q(desired=Desired.CONNECTED, state__in=LIVE) & awake
    why = Case(When(due, then=Value(DUE)), When(resting, then=Value(RESTING)), default=Value(""))
    found = Connection.objects.filter(Q(worker=worker_id) & (due | resting | linked | leaving))
    ordered = found.annotate(newest=NEWEST, why=why).order_by("newest", "pk")
    return Prepared(lambda: ordered.values_list("pk", "newest", "why"))


def unowned_connections(unbegun: bool) -> list[int]:
    """Connections that need a worker and have none that lives.

    `unbegun`: those that a person waits for, else those that are to come back by themselves.
    """
    return [pk for pk, _ in (_UNBEGUN if unbegun else _BEGUN).rows()]


def _free(unbegun: bool) -> QuerySet[Connection, tuple[int, int]]:
    nobody = Q(worker=None) | ~Q(worker__in=Worker.objects.alive())
    free = Connection.objects.busy().filter(nobody)
    rows = free.filter(UNBEGUN) if unbegun else free.exclude(UNBEGUN)
    return rows.annotate(newest=NEWEST).order_by("newest", "pk").values_list("pk", "newest")


_UNBEGUN, _BEGUN = Prepared(lambda: _free(True)), Prepared(lambda: _free(False))


def _in_order(connections: QuerySet[Connection]) -> list[int]:
    return list(connections.order_by(NEWEST, "pk").values_list("pk", flat=True))
