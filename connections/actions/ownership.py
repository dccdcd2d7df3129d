"""Workers and what they own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from connections import broadcast
from connections.actions.rows import Outcome, Unwelcome, adopt, end_attempts, move
from connections.lifecycle import LIVE, PAIRING, Desired, Observation
from connections.models import Connection, PairingAttempt, Worker


def start_worker(name: str) -> Worker:
    """A worker comes up. It is the only one on this database, so the others are gone."""
    with transaction.atomic():
        Worker.objects.filter(stopped_at=None).update(stopped_at=timezone.now())
        return Worker.objects.create(name=name)


def heartbeat(worker: Worker, outdated_since: datetime | None = None) -> None:
    """A sign of life. `outdated_since`: WhatsApp refuses the version of all its clients."""
    Worker.objects.filter(pk=worker.pk).update(
        heartbeat_at=timezone.now(), outdated_since=outdated_since
    )


def stop_worker(worker: Worker) -> None:
    """A worker has stopped cleanly; readers see it at once instead of after a missed heartbeat."""
    Worker.objects.filter(pk=worker.pk).update(stopped_at=timezone.now())
    for connection_id in Connection.objects.filter(worker=worker).values_list("pk", flat=True):
        broadcast.changed(connection_id)


@transaction.atomic
def claim(
    connection_id: int, worker: Worker, linked_number: Callable[[int, str], str]
) -> Connection:
    """Take over a connection that this worker does not own yet.

    What an earlier owner left half done is brought to a state that is true now.
    `linked_number(connection id, store)` tells whose credentials lie in a store ("" for no one's):
    a phone may have accepted the code just before the earlier owner died.
    """
    connection = (
        Connection.objects.select_for_update().select_related("organization").get(pk=connection_id)
    )
    if connection.worker_id == worker.pk:
        return connection
    connection.worker, connection.claim = worker, connection.claim + 1
    connection.save(update_fields=["worker", "claim"])
    begun = connection.begun_generation == connection.generation
    live = connection.desired == Desired.CONNECTED and connection.state in LIVE
    if begun and live and connection.banned_until is None:
        _bring_up_to_date(connection, linked_number)
    return connection


def _bring_up_to_date(connection: Connection, linked_number: Callable[[int, str], str]) -> None:
    attempt = connection.open_attempt()
    number = linked_number(connection.pk, attempt.store) if attempt else ""
    if attempt and number:
        try:
            adopt(connection, attempt, number)
        except Unwelcome as error:
            return move(connection, error.observation, detail=error.detail, attempt=attempt)
    if connection.state in PAIRING and (not connection.store or (attempt and not number)):
        _pair_again(connection, attempt)
    elif connection.store:
        move(connection, Observation.SERVICE_RESTARTED, attempt=attempt)
    else:
        move(connection, Observation.CREDENTIALS_MISSING)


def _pair_again(connection: Connection, attempt: PairingAttempt | None) -> None:
    """A pairing lost its worker. While its time is not over, someone still waits for a code."""
    first = connection.attempts.filter(generation=connection.generation).last()
    if first is not None and first.expires_at <= timezone.now():
        return move(connection, Observation.PAIRING_INTERRUPTED, attempt=attempt)
    end_attempts(connection, Outcome.INTERRUPTED)
    connection.begun_generation -= 1
    connection.save(update_fields=["begun_generation"])
    move(connection, Observation.CODE_LOST, detail="the service was restarted", attempt=attempt)
