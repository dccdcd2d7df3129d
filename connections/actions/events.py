"""The worker's observations. Each write carries a fence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models.functions import Coalesce
from django.utils import timezone

from connections import broadcast
from connections.actions.transitions import (
    Fence,
    Outcome,
    Superseded,
    Transition,
    adopt_store,
    apply_transition,
    apply_transitions,
    detach_credentials,
    end_attempts,
    lock_all_fenced,
    lock_fenced,
    resume_saved_login,
    update_detail,
)
from connections.lifecycle import GONE_AT_WHATSAPP, AnyObservation, Desired, Observation, Reason
from connections.models import DETAIL_LENGTH, Connection, PairingAttempt


@transaction.atomic
def mark_started(fence: Fence) -> Connection:
    """Record that the worker has started to carry out a request. Raises Superseded."""
    connection = lock_fenced(fence)
    _save_started(connection, fence)
    return connection


def _save_started(connection: Connection, fence: Fence) -> None:
    if connection.started_generation != fence.generation:
        connection.started_generation = fence.generation
        connection.save(update_fields=["started_generation"])


@transaction.atomic
def start_pairing(
    fence: Fence, lasts: timedelta, because: AnyObservation | None = None
) -> PairingAttempt:
    """Create the attempt of this request and start the pairing. Raises Superseded.

    `because`: what showed that the saved credentials no longer work, if there were any.
    """
    connection = lock_fenced(fence)
    _save_started(connection, fence)
    end_attempts(connection, Outcome.CANCELLED)
    if connection.fresh_code and not connection.store_name:
        connection.fresh_code = False  # There is no saved login to keep any more.
        connection.save(update_fields=["fresh_code"])
    if because is not None:
        detach_credentials(connection)
        apply_transition(connection, because)
    now = timezone.now()
    attempt = PairingAttempt.objects.create(
        connection=connection,
        generation=fence.generation,
        method=connection.requested_method,
        phone_number=connection.requested_number,
        started_by=connection.requested_by,
        started_at=now,
        expires_at=now + lasts,
    )
    apply_transition(connection, Observation.PAIRING_STARTED, attempt=attempt)
    return attempt


@transaction.atomic
def show_code(
    fence: Fence,
    attempt_id: int,
    code: str,
    number: int,
    count: int,
    lasts: timedelta,
    observation: AnyObservation = Observation.CODE_SHOWN,
) -> None:
    """Show code `number` of `count`, which is valid for `lasts`. Raises Superseded.

    `observation`: PHONE_UNSUPPORTED while the page has to say that the phone cannot link yet.
    """
    connection = lock_fenced(fence)
    now = timezone.now()
    attempts = PairingAttempt.objects.filter(pk=attempt_id, connection=connection, ended_at=None)
    if not attempts.update(
        code=code,
        code_number=number,
        code_count=count,
        code_expires_at=now + lasts,
        first_code_at=Coalesce("first_code_at", now),
    ):
        raise Superseded
    apply_transition(connection, observation, attempt=PairingAttempt(pk=attempt_id))
    broadcast.notify_changed(connection.pk)


@transaction.atomic
def show_phone_code(
    fence: Fence,
    attempt_id: int,
    code: str,
    count: int,
    lasts: timedelta,
    observation: AnyObservation = Observation.PHONE_CODE_SHOWN,
) -> None:
    """Show a code to type on the phone, which is valid for `lasts`. Raises Superseded.

    `count`: how many QR codes WhatsApp gave the same connection. `observation`: as in `show_code`.
    """
    connection = lock_fenced(fence)
    attempts = PairingAttempt.objects.filter(pk=attempt_id, connection=connection, ended_at=None)
    expires_at = timezone.now() + lasts
    if not attempts.update(phone_code=code, code_count=count, code_expires_at=expires_at):
        raise Superseded
    attempts.filter(first_code_at=None).update(first_code_at=timezone.now())
    apply_transition(connection, observation)
    broadcast.notify_changed(connection.pk)


@transaction.atomic
def lose_code(fence: Fence, attempt_id: int, detail: str = "") -> None:
    """Remove a code that is no longer valid, until the next one comes. Raises Superseded."""
    connection = lock_fenced(fence)
    attempts = PairingAttempt.objects.filter(pk=attempt_id, connection=connection, ended_at=None)
    if not attempts.update(code="", phone_code="", code_number=0, code_expires_at=None):
        raise Superseded
    apply_transition(connection, Reason.CODE_LOST, detail=detail)


@dataclass(frozen=True)
class LinkEvent:
    """An event of a link. `retry_at`: the next try, if known."""

    fence: Fence
    observation: AnyObservation
    detail: str = ""
    retry_at: datetime | None = None


def record_event(
    fence: Fence, observation: AnyObservation, detail: str = "", retry_at: datetime | None = None
) -> None:
    """Record an event of the link. `retry_at`: the next try, if known. Raises Superseded."""
    record_events([LinkEvent(fence, observation, detail, retry_at)])


@transaction.atomic
def record_events(events: Sequence[LinkEvent]) -> None:
    """Record events of links. Raises Superseded, and then records none."""
    ids = {event.fence.connection_id for event in events}
    if len(ids) < len(events):
        for event in events:
            record_events([event])
        return
    found = lock_all_fenced([event.fence for event in events])
    transitions = []
    for event in events:
        connection = found[event.fence.connection_id]
        if event.observation in GONE_AT_WHATSAPP:
            detach_credentials(connection)
        transitions.append(
            Transition(connection, event.observation, detail=event.detail, retry_at=event.retry_at)
        )
    apply_transitions(transitions)


@transaction.atomic
def accept_code(fence: Fence, attempt_id: int) -> None:
    """Remove the code that a phone has used. Raises Superseded."""
    connection = lock_fenced(fence)
    attempts = PairingAttempt.objects.filter(pk=attempt_id, connection=connection, ended_at=None)
    if not attempts.update(code="", phone_code="", code_expires_at=None):
        raise Superseded
    apply_transition(connection, Observation.CODE_ACCEPTED)


@transaction.atomic
def end_pairing(fence: Fence, observation: AnyObservation, detail: str = "") -> None:
    """Record why no phone was linked, and resume the saved login if there is one.

    Raises Superseded.
    """
    connection = lock_fenced(fence)
    apply_transition(connection, observation, detail=detail)
    resume_saved_login(connection)


@transaction.atomic
def link(
    fence: Fence,
    attempt: PairingAttempt,
    number: str,
    observation: AnyObservation = Reason.LINKED,
    detail: str = "",
    retry_at: datetime | None = None,
) -> None:
    """Record a linked phone: the attempt's store becomes the organization's.

    `observation`: another one when the link broke right after the phone had accepted the code.
    Raises Superseded; NumberRejected when this organization may not have the number.
    """
    connection = lock_fenced(fence)
    number_change = adopt_store(connection, attempt, number)
    detail = "; ".join(filter(None, (number_change, detail)))
    apply_transition(connection, observation, detail=detail, attempt=attempt, retry_at=retry_at)


@transaction.atomic
def record_logout_problem(fence: Fence, problem: str, banned_until: datetime | None = None) -> None:
    """Record why WhatsApp has not confirmed a logout that is tried again. Raises Superseded.

    `banned_until`: it must not be asked before.
    """
    connection = lock_fenced(fence)
    update_detail(connection, problem[:DETAIL_LENGTH], banned_until)


@transaction.atomic
def forget_credentials(fence: Fence, observation: AnyObservation, detail: str = "") -> None:
    """Record that the credentials are deleted, whatever was requested since. Raises Superseded.

    `observation`: the result, unless a connection is desired again by now; an unconfirmed logout is
    recorded in either case.
    """
    connection = (
        Connection.objects.select_for_update()
        .filter(pk=fence.connection_id, claim=fence.claim)
        .first()
    )
    if connection is None:
        raise Superseded
    connection.store_name, connection.number, connection.logout_pending = "", "", False
    connection.save(update_fields=["store_name", "number", "logout_pending"])
    if connection.desired == Desired.DISCONNECTED:
        apply_transition(connection, observation, detail=detail)
    elif observation == Reason.DISCONNECTED_UNCONFIRMED:
        apply_transition(connection, Observation.LOGOUT_UNCONFIRMED, detail=detail)
    broadcast.notify_changed(connection.pk)
