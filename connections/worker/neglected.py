"""Which connections a worker has to look at: they are not as they should be, or nobody has them."""

from __future__ import annotations

from django.db.models import Case, F, Q, QuerySet, When

from connections.lifecycle import LIVE, Desired, State
from connections.models import Connection, SelfTest, Worker

UNBEGUN = Q(generation__gt=F("begun_generation"))


def neglected(worker: Worker, running: frozenset[int]) -> list[int]:
    """Connections whose sessions at this worker are not as they should be.

    Of its own: it has not begun their newest request, runs them although the organization is
    deactivated, or should run them and does not; or a test message waits. Of others: it runs them
    although it does not own them any more.
    """
    unbegun = UNBEGUN & Q(organization__deactivated_at=None)
    resting = Q(organization__deactivated_at__isnull=False)
    linked = ~Q(store="") & Q(desired=Desired.CONNECTED, state__in=LIVE) & ~resting
    own = Connection.objects.filter(
        Q(worker=worker)
        & (
            unbegun
            | (resting & Q(pk__in=running))
            | (linked & ~Q(pk__in=running))
            | Q(pk__in=SelfTest.waiting().values("connection"))
        )
    )
    lost = Connection.objects.filter(pk__in=running).exclude(worker=worker)
    return [*_in_order(own), *_in_order(lost)]


def orphans(unbegun: bool) -> list[int]:
    """Connections that need a worker and have none that lives.

    `unbegun`: those that a person waits for, else those that are to come back by themselves.
    """
    nobody = Q(worker=None) | ~Q(worker__in=Worker.objects.alive())
    free = Connection.objects.busy().filter(nobody)
    return _in_order(free.filter(UNBEGUN) if unbegun else free.exclude(UNBEGUN))


def _in_order(connections: QuerySet[Connection]) -> list[int]:
    """Those that people rely on right now come first."""
    newest = Case(When(state=State.CONNECTED, then=0), default=1)
    return list(connections.order_by(newest, "pk").values_list("pk", flat=True))
