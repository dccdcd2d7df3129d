"""The conditions that decide what workers do for a connection, in Python and in SQL.

Each exists once in both forms; connections/tests/lifecycle/test_conditions.py compares them over
all combinations of the columns.
"""

from __future__ import annotations

from typing import Any

from django.db.models import F, Q

from connections.lifecycle import LIVE, PAIRING, Desired, Reason, State
from connections.models.workers import Worker, Workforce

Row = Any
"""A `Connection` that was read with its organization and its worker."""


def active(row: Row) -> bool:
    """Whether its organization is active."""
    return bool(row.organization.is_active)


ACTIVE = Q(organization__deactivated_at=None)


def not_started(row: Row) -> bool:
    """Whether no worker has started to carry out its newest request."""
    return bool(row.started_generation < row.generation)


def not_started_q(prefix: str = "") -> Q:
    """Return `not_started` in SQL. `prefix`: the path to the connection from another model."""
    return Q(**{f"{prefix}started_generation__lt": F(f"{prefix}generation")})


NOT_STARTED = not_started_q()


def live(row: Row) -> bool:
    """Whether it is desired, and connected or connecting."""
    return row.desired == Desired.CONNECTED and row.state in LIVE


IS_LIVE = Q(desired=Desired.CONNECTED, state__in=LIVE)


def disconnecting(row: Row) -> bool:
    """Whether a clean-up waits or is being done; one that failed for good does not count."""
    failed = row.state == State.ACTION_NEEDED and row.reason != Reason.DISCONNECTING
    return row.logout_pending and not failed


DISCONNECTING = Q(logout_pending=True) & ~(
    Q(state=State.ACTION_NEEDED) & ~Q(reason=Reason.DISCONNECTING)
)


def is_pairing(row: Row) -> bool:
    """Whether a phone is being linked, rather than the saved login being resumed."""
    return row.state in PAIRING and (not row.store_name or row.fresh_code)


IS_PAIRING = Q(state__in=PAIRING) & (Q(store_name="") | Q(fresh_code=True))


def never_linked(row: Row) -> bool:
    """Whether no phone has ever been linked."""
    return not (row.number or row.last_number or row.store_name)


NEVER_LINKED = Q(number="", last_number="", store_name="")


# --- Work for a worker --------------------------------------------------------------------------


def holds_link(row: Row) -> bool:
    """Whether its worker has to hold a link with the saved login."""
    return active(row) and live(row) and bool(row.store_name)


HOLDS_LINK = ACTIVE & IS_LIVE & ~Q(store_name="")


def needs_worker(row: Row) -> bool:
    """Whether a worker has to own it, also for a pairing whose worker may have died."""
    return row.logout_pending or (active(row) and (live(row) or not_started(row)))


NEEDS_WORKER = Q(logout_pending=True) | (ACTIVE & (IS_LIVE | NOT_STARTED))


def needs_task(row: Row) -> bool:
    """Whether its owner has to start a task: to carry out a request, or to hold a link.

    A pairing that was started runs already, or is over.
    """
    return row.logout_pending or (active(row) and not_started(row)) or holds_link(row)


NEEDS_TASK = Q(logout_pending=True) | (ACTIVE & NOT_STARTED) | HOLDS_LINK


# --- Without a worker ---------------------------------------------------------------------------


def owned(row: Row) -> bool:
    """Whether a living worker owns it."""
    return row.worker is not None and row.worker.alive


def owned_q() -> Q:
    """Return `owned` in SQL, by the database's clock."""
    return Q(worker__isnull=False, worker__in=Worker.objects.alive())


def has_worker(row: Row, workforce: Workforce) -> bool:
    """Whether a living worker owns it, or will claim it for the request that waits."""
    waits = not_started(row) or row.worker is None
    return owned(row) or (waits and workforce == Workforce.READY)


def has_worker_q(workforce: Workforce) -> Q:
    """Return `has_worker` in SQL."""
    waits = NOT_STARTED | Q(worker=None)
    return owned_q() | waits if workforce == Workforce.READY else owned_q()


def relies_on_worker(row: Row) -> bool:
    """Whether the stored state is true only while a worker owns it."""
    at_rest = row.desired == Desired.DISCONNECTED and not row.logout_pending
    down = row.state == State.ACTION_NEEDED
    return not (at_rest or down)


def unowned(row: Row, has_worker: bool) -> bool:
    """Whether it needs a worker and has none, so that the stored state is not true any more."""
    return relies_on_worker(row) and not has_worker


def unowned_q(workforce: Workforce) -> Q:
    """Return `unowned` in SQL."""
    at_rest = Q(desired=Desired.DISCONNECTED, logout_pending=False)
    down = Q(state=State.ACTION_NEEDED)
    return ~(has_worker_q(workforce) | at_rest | down)
