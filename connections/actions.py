"""The only writers of connections, attempts and history.

People's requests come in by `request_reconnect` and `request_disconnect`. What the worker sees
comes in with a `Fence`: a write under an old claim or an old generation changes no row and says so.
Every change adds its line to the history in the same transaction, and is told on commit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from connections import broadcast, limits
from connections.lifecycle import LIVE, PAIRING, Desired, Observation, State, after
from connections.models import (
    DETAIL_LENGTH,
    Connection,
    ConnectionEvent,
    Method,
    PairingAttempt,
    Worker,
)
from organizations.actors import Actor

Outcome = PairingAttempt.Outcome

ENDINGS: dict[Observation, PairingAttempt.Outcome] = {
    Observation.CODES_EXPIRED: Outcome.EXPIRED,
    Observation.PAIRING_REFUSED: Outcome.REFUSED,
    Observation.PAIRING_UNREACHABLE: Outcome.UNREACHABLE,
    Observation.PAIRING_CRASHED: Outcome.CRASHED,
    Observation.PAIRING_TIMED_OUT: Outcome.TIMED_OUT,
    Observation.PAIRING_INTERRUPTED: Outcome.INTERRUPTED,
}
"""How each observation that ends a pairing is remembered; any other ending is FAILED."""

REQUESTED = (
    "desired",
    "generation",
    "requested_by",
    "requested_method",
    "requested_number",
    "logout_wanted",
)

GONE_AT_WHATSAPP = frozenset(
    {Observation.LOGGED_OUT_BY_PHONE, Observation.FORGOTTEN, Observation.ACCOUNT_LOCKED}
)
"""After these the saved credentials are worthless, so the next reconnect begins with a fresh QR."""


class AlreadyConnected(Exception):
    """WhatsApp is already connected"""


class OrganizationInactive(Exception):
    """This organization is deactivated."""


class NothingToCancel(Exception):
    """No pairing is under way"""


@dataclass(frozen=True)
class Fence:
    """The right to write about a connection: who owns it, and for which request."""

    connection_id: int
    claim: int
    generation: int


class Superseded(Exception):
    """A newer request or another worker has taken over; the writer should stop."""


# --- Requests -----------------------------------------------------------------------------------


@transaction.atomic
def request_reconnect(
    connection_id: int, actor: Actor, method: Method = Method.QR, number: str = ""
) -> Connection:
    """Ask for a connection. What is already under way is left to go on.

    `method` PHONE: by a code that is typed on the phone with this `number` (digits), instead of a
    QR code. Raises AlreadyConnected when there is nothing to reconnect, OrganizationInactive,
    TooManyRequests.
    """
    connection = _locked(connection_id)
    if not connection.organization.is_active:
        raise OrganizationInactive(OrganizationInactive.__doc__)
    if connection.desired == Desired.CONNECTED:
        # Without a worker the row tells of a link that is gone, and readers are told so.
        if connection.state == State.CONNECTED and connection.looked_after:
            raise AlreadyConnected
        asked_again = (connection.requested_method, connection.requested_number) == (method, number)
        if asked_again and _under_way(connection):
            return connection
    limits.check(connection, actor)
    connection.requested_by = actor.short_label
    connection.requested_method, connection.requested_number = method, number
    return _request(connection, Desired.CONNECTED, Observation.RECONNECT_REQUESTED, actor)


@transaction.atomic
def request_disconnect(connection_id: int, actor: Actor) -> Connection:
    """Ask for a logout, a stopped socket and deleted credentials."""
    connection = _locked(connection_id)
    if connection.desired == Desired.DISCONNECTED and connection.disconnecting:
        return connection
    connection.logout_wanted = True
    return _request(connection, Desired.DISCONNECTED, Observation.DISCONNECT_REQUESTED, actor)


@transaction.atomic
def request_cancel(connection_id: int, actor: Actor) -> Connection:
    """Ask for the end of a pairing that is under way. Raises NothingToCancel."""
    connection = _locked(connection_id)
    pairing = connection.state in PAIRING and not connection.store
    if connection.desired != Desired.CONNECTED or not pairing:
        raise NothingToCancel(NothingToCancel.__doc__)
    return _request(connection, Desired.DISCONNECTED, Observation.CANCEL_REQUESTED, actor)


def _locked(connection_id: int) -> Connection:
    locked = Connection.objects.select_for_update(of=("self",)).select_related("organization")
    return locked.get(pk=connection_id)


def _under_way(connection: Connection) -> bool:
    """Whether an earlier request is still being carried out, or waits for a worker to begin."""
    if connection.state not in PAIRING:
        return False
    if connection.begun_generation < connection.generation:
        return True
    attempt = connection.open_attempt()
    return connection.looked_after and (attempt is None or attempt.expires_at > timezone.now())


def _request(
    connection: Connection, desired: Desired, observation: Observation, actor: Actor
) -> Connection:
    connection.desired = desired
    connection.generation += 1
    connection.save(update_fields=REQUESTED)
    _end_attempts(connection, Outcome.CANCELLED)
    _move(connection, observation, actor=actor)
    broadcast.requested(connection.pk)
    return connection


# --- What the worker sees -----------------------------------------------------------------------


@transaction.atomic
def begin(fence: Fence) -> Connection:
    """The worker begins to carry out a request. Raises Superseded."""
    connection = _fenced(fence)
    connection.begun_generation = fence.generation
    connection.save(update_fields=["begun_generation"])
    return connection


@transaction.atomic
def begin_pairing(
    fence: Fence, lasts: timedelta, because: Observation | None = None
) -> PairingAttempt:
    """Open the one pairing attempt of this request. Raises Superseded.

    `because`: what showed that the saved credentials are worthless, if there were any.
    """
    connection = _fenced(fence)
    _end_attempts(connection, Outcome.CANCELLED)
    if because is not None:
        _leave_credentials(connection)
        _move(connection, because)
    now = timezone.now()
    attempt = PairingAttempt.objects.create(
        connection=connection,
        generation=fence.generation,
        method=connection.requested_method,
        phone_number=connection.requested_number,
        begun_by=connection.requested_by,
        begun_at=now,
        expires_at=now + lasts,
    )
    _move(connection, Observation.PAIRING_STARTED, attempt=attempt)
    return attempt


@transaction.atomic
def show_code(
    fence: Fence, attempt_id: int, code: str, number: int, count: int, lasts: timedelta
) -> None:
    """WhatsApp issued code `number` of `count`, good for `lasts`. Raises Superseded."""
    connection = _fenced(fence)
    now = timezone.now()
    shown = PairingAttempt.objects.filter(pk=attempt_id, connection=connection, ended_at=None)
    if not shown.update(
        code=code, code_number=number, code_count=count, code_expires_at=now + lasts
    ):
        raise Superseded
    shown.filter(first_code_at=None).update(first_code_at=now)
    _move(connection, Observation.CODE_SHOWN)
    broadcast.changed(connection.pk)


@transaction.atomic
def show_phone_code(fence: Fence, attempt_id: int, code: str, lasts: timedelta) -> None:
    """WhatsApp issued a code to be typed on the phone, good for `lasts`. Raises Superseded."""
    connection = _fenced(fence)
    shown = PairingAttempt.objects.filter(pk=attempt_id, connection=connection, ended_at=None)
    if not shown.update(phone_code=code, code_expires_at=timezone.now() + lasts):
        raise Superseded
    shown.filter(first_code_at=None).update(first_code_at=timezone.now())
    _move(connection, Observation.PHONE_CODE_SHOWN)
    broadcast.changed(connection.pk)


@transaction.atomic
def observe(fence: Fence, observation: Observation, detail: str = "") -> None:
    """Something happened to the link. Raises Superseded."""
    connection = _fenced(fence)
    if observation in GONE_AT_WHATSAPP:
        _leave_credentials(connection)
    _move(connection, observation, detail=detail)


@transaction.atomic
def link(
    fence: Fence,
    attempt: PairingAttempt,
    number: str,
    observation: Observation = Observation.LINKED,
) -> None:
    """The phone is linked: the attempt's store becomes the organization's. Raises Superseded.

    `observation` is another one when the link broke right after the phone had accepted the code.
    """
    connection = _fenced(fence)
    _adopt(connection, attempt, number)
    _move(connection, observation, attempt=attempt)


@transaction.atomic
def forget_credentials(fence: Fence, observation: Observation, detail: str = "") -> None:
    """The credentials are deleted, whatever has been requested since. Raises Superseded.

    `observation`: what that makes of the connection, unless it is wanted again by now.
    """
    connection = (
        Connection.objects.select_for_update()
        .filter(pk=fence.connection_id, claim=fence.claim)
        .first()
    )
    if connection is None:
        raise Superseded
    connection.store, connection.number, connection.logout_wanted = "", "", False
    connection.save(update_fields=["store", "number", "logout_wanted"])
    if connection.desired == Desired.DISCONNECTED:
        _move(connection, observation, detail=detail)
    broadcast.changed(connection.pk)


def _fenced(fence: Fence) -> Connection:
    connection = (
        Connection.objects.select_for_update()
        .filter(pk=fence.connection_id, claim=fence.claim, generation=fence.generation)
        .first()
    )
    if connection is None:
        raise Superseded
    return connection


def _move(
    connection: Connection,
    observation: Observation,
    *,
    detail: str = "",
    actor: Actor | None = None,
    attempt: PairingAttempt | None = None,
) -> None:
    """Write what an observation makes of a connection that this transaction has locked."""
    before = State(connection.state)
    follows = after(before, observation)
    if follows is None:
        return
    attempt = attempt or connection.open_attempt()
    detail = detail[:DETAIL_LENGTH]
    state, reason = follows
    unchanged = (before, connection.reason, connection.detail) == (state, reason, detail)
    if unchanged and actor is None:
        return
    if state != before:
        connection.since = timezone.now()
    connection.state, connection.reason, connection.detail = state, reason, detail
    connection.save(update_fields=["state", "reason", "detail", "since"])
    if state not in PAIRING:
        _end_attempts(connection, ENDINGS.get(observation, Outcome.FAILED))
    ConnectionEvent.objects.create(
        connection=connection,
        observation=observation,
        state_before=before,
        state=state,
        reason=reason,
        detail=detail,
        attempt=attempt,
        **(actor.columns if actor else {}),
    )
    broadcast.changed(connection.pk)


def _adopt(connection: Connection, attempt: PairingAttempt, number: str) -> None:
    connection.store, connection.number = attempt.store, number
    connection.save(update_fields=["store", "number"])
    _end_attempts(connection, Outcome.LINKED)


def _leave_credentials(connection: Connection) -> None:
    """The store is not used again. Its files stay until a new link or a disconnect."""
    connection.store = ""
    connection.save(update_fields=["store"])


def _end_attempts(connection: Connection, outcome: PairingAttempt.Outcome) -> None:
    connection.attempts.filter(ended_at=None).update(
        ended_at=timezone.now(), outcome=outcome, code="", phone_code="", code_expires_at=None
    )


# --- Workers and what they own ------------------------------------------------------------------


def start_worker(name: str) -> Worker:
    """A worker comes up. It is the only one on this database, so the others are gone."""
    with transaction.atomic():
        Worker.objects.filter(stopped_at=None).update(stopped_at=timezone.now())
        return Worker.objects.create(name=name)


def heartbeat(worker: Worker) -> None:
    """A sign of life."""
    Worker.objects.filter(pk=worker.pk).update(heartbeat_at=timezone.now())


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
    if begun and connection.desired == Desired.CONNECTED and connection.state in LIVE:
        attempt = connection.open_attempt()
        number = linked_number(connection.pk, attempt.store) if attempt else ""
        if attempt and number:
            _adopt(connection, attempt, number)
        if connection.state in PAIRING and (not connection.store or (attempt and not number)):
            found = Observation.PAIRING_INTERRUPTED
        elif connection.store:
            found = Observation.SERVICE_RESTARTED
        else:
            found = Observation.CREDENTIALS_MISSING
        _move(connection, found, attempt=attempt)
    return connection
