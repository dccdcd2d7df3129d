"""Workers and what they own.

Whoever owns a connection holds its socket. It changes hands by one conditional update that raises
its claim number: of two workers that want it, the number lets one through, and whatever the owner
before still writes carries an old number and changes nothing (`Fence`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from connections import broadcast
from connections.actions.transitions import (
    NumberRejected,
    Outcome,
    adopt_store,
    apply_transition,
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
"""`(connection id, store)`: whose credentials lie in a store, "" for no one's."""


@transaction.atomic
def start_worker(
    name: str,
    capacity: int = 0,
    alone: bool = True,
    instead_of: Worker | None = None,
    process: str = "",
) -> Worker:
    """A worker comes up.

    `alone`: it is known to be the only one on this database, so the others are gone. `instead_of`:
    what it was before it lost its right to what it owned. `process`: see worker/processes.py.
    """
    now = timezone.now()
    if alone:
        Worker.objects.filter(stopped_at=None).update(stopped_at=now)
    elif instead_of is not None:
        Worker.objects.filter(pk=instead_of.pk, stopped_at=None).update(stopped_at=now)
    Worker.objects.filter(heartbeat_at__lt=now - KEEP_WORKERS).delete()
    worker = Worker.objects.create(name=name, capacity=capacity, process=process)
    Worker.objects.filter(pk=worker.pk).update(heartbeat_at=Now())
    return worker


def heartbeat(
    worker: Worker,
    outdated_since: datetime | None = None,
    sessions: int = 0,
    hosts: int = 0,
    alone: bool = True,
) -> bool:
    """A sign of life. Whether the worker still owns what it owned.

    `outdated_since`: WhatsApp refuses the version of all its clients. Unless it is `alone` on this
    database, a sign that comes too late counts for nothing: others may have taken over.
    """
    rows = Worker.objects.filter(pk=worker.pk) if alone else Worker.objects.alive()
    found = rows.filter(pk=worker.pk).update(
        heartbeat_at=Now(), outdated_since=outdated_since, sessions=sessions, hosts=hosts
    )
    return found > 0


@transaction.atomic
def drain_worker(worker_id: int, drain: bool = True, actor: Actor | None = None) -> None:
    """It hands over what it owns, one after the other, and takes nothing new; or no longer so.

    `actor`: who asked for it, if it does not stop by itself.
    """
    since = timezone.now() if drain else None
    running = Worker.objects.filter(pk=worker_id, stopped_at=None)
    if running.update(draining_since=since) and actor is not None:
        action = AuditEntry.Action.WORKER_DRAINED if drain else AuditEntry.Action.WORKER_RESUMED
        log_audit(action, None, actor, running.get().name)


def stop_worker(worker: Worker) -> None:
    """A worker has ended. Readers see it at once, and others take over what is left."""
    with transaction.atomic():
        Worker.objects.filter(pk=worker.pk).update(stopped_at=timezone.now())
        for connection_id in Connection.objects.filter(worker=worker).values_list("pk", flat=True):
            broadcast.requested(connection_id)


def claim(
    connection_id: int,
    worker: Worker,
    linked_number: LinkedNumber,
    room: bool = True,
    urgent: bool = True,
    alone: bool = True,
) -> Connection | None:
    """The connection if this worker owns it, or may take it over; None when another one has it.

    What an earlier owner left half done is brought to a state that is true now: a phone may have
    accepted the code just before that owner died. Without `room` it is taken only if a person
    waits for it, and if `urgent` is False, not even then. A worker that is not `alone` and gives no
    sign of life itself gets nothing.
    """
    connection = Connection.objects.select_related("organization").get(pk=connection_id)
    if connection.worker_id == worker.pk:
        return connection
    wanted = room or (urgent and connection.started_generation < connection.generation)
    return _take(connection, worker, linked_number, alone) if wanted else None


@transaction.atomic
def _take(
    connection: Connection, worker: Worker, linked_number: LinkedNumber, alone: bool
) -> Connection | None:
    """Take over what no living worker has."""
    if not alone or connection.worker_id is not None:
        either = Worker.objects.alive().filter(pk__in=[connection.worker_id, worker.pk])
        alive = set(either.values_list("pk", flat=True))
        if connection.worker_id in alive or not (alone or worker.pk in alive):
            return None
    taken = _pass_on(connection, worker)
    if taken is not None:
        _bring_up_to_date(taken, linked_number)
    return taken


@transaction.atomic
def hand_over(connection_id: int, worker: Worker, to: int, linked_number: LinkedNumber) -> bool:
    """A worker that has closed its socket gives a connection to another one. Whether it owned it.

    A link that was up stays as it is for its readers: it is back in a moment.
    """
    connection = (
        Connection.objects.select_related("organization")
        .filter(pk=connection_id, worker=worker)
        .first()
    )
    receiver = Worker.objects.alive().filter(pk=to).first()
    if connection is None or receiver is None:
        return False
    passed = _pass_on(connection, receiver)
    if passed is None:
        return False
    if passed.state in PAIRING:
        _bring_up_to_date(passed, linked_number)
    broadcast.requested(connection_id)
    return True


def _pass_on(connection: Connection, worker: Worker) -> Connection | None:
    """The one update by which a connection changes hands; it locks the row.

    The connection as it is then, or None when someone else was quicker.
    """
    rows = Connection.objects.filter(pk=connection.pk, claim=connection.claim)
    if not rows.update(worker=worker, claim=connection.claim + 1):
        return None
    return Connection.objects.select_related("organization", "worker").get(pk=connection.pk)


def _bring_up_to_date(connection: Connection, linked_number: LinkedNumber) -> None:
    begun = connection.started_generation == connection.generation
    live = connection.desired == Desired.CONNECTED and connection.state in LIVE
    if not (begun and live) or connection.banned_until is not None:
        return
    attempt = connection.open_attempt()
    number = linked_number(connection.pk, attempt.store_name) if attempt else ""
    changed = ""
    if attempt and number:
        try:
            changed = adopt_store(connection, attempt, number)
        except NumberRejected as error:
            return apply_transition(
                connection, error.observation, detail=error.detail, attempt=attempt
            )
    if connection.state in PAIRING and (not connection.store_name or (attempt and not number)):
        _pair_again(connection, attempt)
    elif connection.store_name:
        apply_transition(connection, Reason.SERVICE_RESTARTED, detail=changed, attempt=attempt)
    else:
        apply_transition(connection, Reason.CREDENTIALS_MISSING)


def _pair_again(connection: Connection, attempt: PairingAttempt | None) -> None:
    """A pairing lost its worker. While its time is not over, someone still waits for a code."""
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
