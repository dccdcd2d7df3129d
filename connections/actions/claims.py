"""Workers, and which connections they own.

The owner of a connection holds its socket. One conditional update changes the owner and raises the
claim number: of two workers that claim it, one succeeds, and writes of the previous owner carry an
old number and change nothing (`Fence`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from connections import broadcast
from connections.actions.activity import CONNECTION_TASKS
from connections.actions.transitions import (
    STILL_LINKED,
    NumberRejected,
    Outcome,
    Transition,
    adopt_store,
    apply_transition,
    apply_transitions,
    end_attempts,
    resume_saved_login,
)
from connections.lifecycle import LIVE, PAIRING, Desired, Reason
from connections.models import Connection, PairingAttempt, Worker
from organizations.access import Actor
from organizations.audit import log_audit
from organizations.models import AuditEntry

KEEP_WORKERS = timedelta(days=7)

LinkedNumber = Callable[[int, str], str]
"""`(connection id, store)`: returns the number whose credentials are in a store, or ""."""


@transaction.atomic
def start_worker(
    name: str,
    capacity: int = 0,
    alone: bool = True,
    replaces: Worker | None = None,
    process: str = "",
) -> Worker:
    """Create the row of a worker that starts.

    `alone`: it is the only worker on this database, so all others have ended. `replaces`: its
    previous row, which lost its lease; if that was being drained, the new one is, too. `process`:
    see worker/process_liveness.py.
    """
    now = timezone.now()
    if alone:
        Worker.objects.filter(stopped_at=None).update(stopped_at=now)
    draining_since = None
    if replaces is not None:
        previous = Worker.objects.filter(pk=replaces.pk)
        draining_since = previous.values_list("draining_since", flat=True).first()
        previous.filter(stopped_at=None).update(stopped_at=now)
    Worker.objects.filter(heartbeat_at__lt=now - KEEP_WORKERS).delete()
    worker = Worker.objects.create(
        name=name, capacity=capacity, process=process, draining_since=draining_since
    )
    Worker.objects.filter(pk=worker.pk).update(heartbeat_at=Now())
    return worker


def heartbeat(
    worker: Worker,
    outdated_since: datetime | None = None,
    sessions: int = 0,
    hosts: int = 0,
    alone: bool = True,
) -> bool:
    """Save a heartbeat. Return whether the worker still owns its connections.

    `outdated_since`: since when WhatsApp refuses the version of all its clients. A late heartbeat
    has no effect unless the worker is `alone` on this database: others may have taken over.
    """
    rows = Worker.objects.filter(pk=worker.pk) if alone else Worker.objects.alive()
    updated = rows.filter(pk=worker.pk).update(
        heartbeat_at=Now(), outdated_since=outdated_since, sessions=sessions, hosts=hosts
    )
    return updated > 0


@transaction.atomic
def drain_worker(worker_id: int, drain: bool = True, actor: Actor | None = None) -> None:
    """Start draining a worker, or stop it: it hands over its connections and takes no new ones.

    `actor`: the person who requested it, if any.
    """
    since = timezone.now() if drain else None
    running = Worker.objects.filter(pk=worker_id, stopped_at=None)
    if running.update(draining_since=since) and actor is not None:
        action = AuditEntry.Action.WORKER_DRAINED if drain else AuditEntry.Action.WORKER_RESUMED
        log_audit(action, None, actor, running.get().name)


def stop_worker(worker: Worker) -> None:
    """Mark a worker as stopped, and notify the readers of its connections and the workers.

    Workers look for all of them together, as they claim several at once.
    """
    with transaction.atomic():
        Worker.objects.filter(pk=worker.pk).update(stopped_at=timezone.now())
        for connection_id in Connection.objects.filter(worker=worker).values_list("pk", flat=True):
            broadcast.notify_changed(connection_id)
        broadcast.notify_work(CONNECTION_TASKS)


def claim(
    connection_id: int,
    worker: Worker,
    linked_number: LinkedNumber,
    room: bool = True,
    urgent: bool = True,
    alone: bool = True,
) -> Connection | None:
    """Return the connection if this worker owns it or could claim it; None if another owns it.

    A claim recovers the state of an interrupted task: a phone may have accepted the code just
    before the previous owner died. Without `room`, claims only a connection with a request that
    waits, and none if `urgent` is False. A worker that is not `alone` and is not alive itself
    claims nothing.
    """
    connection = Connection.objects.select_related("organization").get(pk=connection_id)
    if connection.worker_id == worker.pk:
        return connection
    allowed = room or (urgent and connection.started_generation < connection.generation)
    return _take(connection, worker, linked_number, alone) if allowed else None


@transaction.atomic
def _take(
    connection: Connection, worker: Worker, linked_number: LinkedNumber, alone: bool
) -> Connection | None:
    """Claim a connection unless another living worker owns it."""
    if not alone or connection.worker_id is not None:
        either = Worker.objects.alive().filter(pk__in=[connection.worker_id, worker.pk])
        alive = set(either.values_list("pk", flat=True))
        if connection.worker_id in alive or not (alone or worker.pk in alive):
            return None
    taken = _change_owner(connection, worker)
    if taken is not None:
        _recover(taken, linked_number)
    return taken


@transaction.atomic
def claim_saved_logins(
    connection_ids: Collection[int], worker: Worker, alone: bool = True
) -> list[Connection]:
    """Claim connections whose saved logins only have to be resumed, and return them.

    Hundreds have to be claimed after a restart, so the number of queries does not grow with them
    (docs/performance.md). All others are left for `claim`: those with a request that waits, that
    were linking a phone, or that another living worker owns.
    """
    rows = Connection.objects.select_for_update(of=("self",)).select_related("organization")
    found = [row for row in rows.filter(pk__in=connection_ids).order_by("pk") if _resumes(row)]
    owners = {row.worker_id for row in found}
    either = Worker.objects.alive().filter(pk__in=[worker.pk, *filter(None, owners)])
    alive = set(either.values_list("pk", flat=True))
    if not (alone or worker.pk in alive):
        return []
    linking = PairingAttempt.objects.filter(connection__in=[row.pk for row in found], ended_at=None)
    left_out = set(linking.values_list("connection", flat=True))
    taken = [row for row in found if row.worker_id not in alive and row.pk not in left_out]
    ids = [row.pk for row in taken]
    Connection.objects.filter(pk__in=ids).update(worker=worker, claim=F("claim") + 1)
    for row in taken:
        row.worker, row.claim = worker, row.claim + 1
    apply_transitions([Transition(row, Reason.SERVICE_RESTARTED) for row in taken])
    return taken


def _resumes(connection: Connection) -> bool:
    """Return whether its newest request has started, and its saved login has to be resumed."""
    return (
        connection.started_generation == connection.generation
        and connection.desired == Desired.CONNECTED
        and not connection.logout_pending
        and connection.organization.is_active
        and connection.state in LIVE
        and connection.state not in PAIRING
        and bool(connection.store_name)
        and connection.banned_until is None
    )


@transaction.atomic
def hand_over(connection_id: int, worker: Worker, to: int, linked_number: LinkedNumber) -> bool:
    """Give a connection whose socket is closed to the worker `to`. Return whether it was given.

    Readers still see a linked connection as connected: the next owner resumes it at once.
    """
    connection = (
        Connection.objects.select_related("organization")
        .filter(pk=connection_id, worker=worker)
        .first()
    )
    receiver = Worker.objects.alive().filter(pk=to).first()
    if connection is None or receiver is None:
        return False
    given = _change_owner(connection, receiver)
    if given is None:
        return False
    if given.state in PAIRING:
        _recover(given, linked_number)
    broadcast.notify_requested(connection_id)
    return True


def _change_owner(connection: Connection, worker: Worker) -> Connection | None:
    """Change the owner by the one update that raises the claim; it locks the row.

    Return the connection read again, or None when another worker was faster.
    """
    rows = Connection.objects.filter(pk=connection.pk, claim=connection.claim)
    if not rows.update(worker=worker, claim=connection.claim + 1):
        return None
    return Connection.objects.select_related("organization", "worker").get(pk=connection.pk)


def _recover(connection: Connection, linked_number: LinkedNumber) -> None:
    """Write the state that is true after the previous owner's task was interrupted."""
    started = connection.started_generation == connection.generation
    live = connection.desired == Desired.CONNECTED and connection.state in LIVE
    if not (started and live) or connection.banned_until is not None:
        return
    attempt = connection.open_attempt()
    number = linked_number(connection.pk, attempt.store_name) if attempt else ""
    detail = ""
    if attempt and number:
        try:
            detail = adopt_store(connection, attempt, number)
        except NumberRejected as error:
            detail = error.detail + STILL_LINKED
            return apply_transition(connection, error.observation, detail=detail, attempt=attempt)
    if connection.state in PAIRING and (not connection.store_name or (attempt and not number)):
        _restart_pairing(connection, attempt)
    elif connection.store_name:
        apply_transition(connection, Reason.SERVICE_RESTARTED, detail=detail, attempt=attempt)
    else:
        apply_transition(connection, Reason.CREDENTIALS_MISSING)


def _restart_pairing(connection: Connection, attempt: PairingAttempt | None) -> None:
    """Restart a pairing that lost its worker, unless its time is over."""
    first = connection.attempts.filter(generation=connection.generation).last()
    if first is not None and first.expires_at <= timezone.now():
        apply_transition(connection, Reason.PAIRING_INTERRUPTED, attempt=attempt)
        return resume_saved_login(connection)
    end_attempts(connection, Outcome.INTERRUPTED)
    connection.started_generation -= 1
    connection.save(update_fields=["started_generation"])
    apply_transition(
        connection, Reason.CODE_LOST, detail="the service was restarted", attempt=attempt
    )
