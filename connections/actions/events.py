"""What the worker saw, each with the fence under which it may be written down."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models.functions import Coalesce
from django.utils import timezone

from connections import broadcast
from connections.actions.transitions import (
    Fence,
    Outcome,
    Superseded,
    adopt_store,
    apply_transition,
    detach_credentials,
    end_attempts,
    lock_fenced,
    resume_saved_login,
)
from connections.lifecycle import GONE_AT_WHATSAPP, AnyObservation, Desired, Observation, Reason
from connections.models import Connection, PairingAttempt


@transaction.atomic
def mark_started(fence: Fence) -> Connection:
    """The worker begins to carry out a request. Raises Superseded."""
    connection = lock_fenced(fence)
    _note_start(connection, fence)
    return connection


def _note_start(connection: Connection, fence: Fence) -> None:
    if connection.started_generation != fence.generation:
        connection.started_generation = fence.generation
        connection.save(update_fields=["started_generation"])


@transaction.atomic
def begin_pairing(
    fence: Fence, lasts: timedelta, because: AnyObservation | None = None
) -> PairingAttempt:
    """Open the one pairing attempt of this request, and begin it. Raises Superseded.

    `because`: what showed that the saved credentials are worthless, if there were any.
    """
    connection = lock_fenced(fence)
    _note_start(connection, fence)
    end_attempts(connection, Outcome.CANCELLED)
    if connection.fresh_code and not connection.store_name:
        connection.fresh_code = False  # There is no login left that it could be kept beside.
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

    `observation`: PHONE_UNSUPPORTED while a phone that cannot link yet has to be told so.
    """
    connection = lock_fenced(fence)
    now = timezone.now()
    shown = PairingAttempt.objects.filter(pk=attempt_id, connection=connection, ended_at=None)
    if not shown.update(
        code=code,
        code_number=number,
        code_count=count,
        code_expires_at=now + lasts,
        first_code_at=Coalesce("first_code_at", now),
    ):
        raise Superseded
    apply_transition(connection, observation, attempt=PairingAttempt(pk=attempt_id))
    broadcast.changed(connection.pk)


@transaction.atomic
def show_phone_code(
    fence: Fence,
    attempt_id: int,
    code: str,
    count: int,
    lasts: timedelta,
    observation: AnyObservation = Observation.PHONE_CODE_SHOWN,
) -> None:
    """Show a code to be typed on the phone, which is valid for `lasts`. Raises Superseded.

    `count`: how many QR codes WhatsApp gave the same connection; `observation` as in `show_code`.
    """
    connection = lock_fenced(fence)
    shown = PairingAttempt.objects.filter(pk=attempt_id, connection=connection, ended_at=None)
    expires_at = timezone.now() + lasts
    if not shown.update(phone_code=code, code_count=count, code_expires_at=expires_at):
        raise Superseded
    shown.filter(first_code_at=None).update(first_code_at=timezone.now())
    apply_transition(connection, observation)
    broadcast.changed(connection.pk)


@transaction.atomic
def lose_code(fence: Fence, attempt_id: int, detail: str = "") -> None:
    """The code that was shown is void, and another one is on its way. Raises Superseded."""
    connection = lock_fenced(fence)
    lost = PairingAttempt.objects.filter(pk=attempt_id, connection=connection, ended_at=None)
    if not lost.update(code="", phone_code="", code_number=0, code_expires_at=None):
        raise Superseded
    apply_transition(connection, Reason.CODE_LOST, detail=detail)


@transaction.atomic
def record_event(
    fence: Fence,
    observation: AnyObservation,
    detail: str = "",
    retry_at: datetime | None = None,
) -> None:
    """Something happened to the link; `retry_at`: the next try, if known. Raises Superseded."""
    connection = lock_fenced(fence)
    if observation in GONE_AT_WHATSAPP:
        detach_credentials(connection)
    apply_transition(connection, observation, detail=detail, retry_at=retry_at)


@transaction.atomic
def accept_code(fence: Fence, attempt_id: int) -> None:
    """A phone has used the code, so nobody else can any more. Raises Superseded."""
    connection = lock_fenced(fence)
    used = PairingAttempt.objects.filter(pk=attempt_id, connection=connection, ended_at=None)
    if not used.update(code="", phone_code="", code_expires_at=None):
        raise Superseded
    apply_transition(connection, Observation.CODE_ACCEPTED)


@transaction.atomic
def end_pairing(fence: Fence, observation: AnyObservation, detail: str = "") -> None:
    """No phone was linked, and why. Raises Superseded.

    A login from before that was kept meanwhile is resumed then.
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
    """The phone is linked: the attempt's store becomes the organization's.

    `observation` is another one when the link broke right after the phone had accepted the code.
    Raises Superseded; NumberRejected when the number is not one that this organization may have.
    """
    connection = lock_fenced(fence)
    changed = adopt_store(connection, attempt, number)
    detail = "; ".join(filter(None, (changed, detail)))
    apply_transition(connection, observation, detail=detail, attempt=attempt, retry_at=retry_at)


@transaction.atomic
def forget_credentials(fence: Fence, observation: AnyObservation, detail: str = "") -> None:
    """The credentials are deleted, whatever has been requested since. Raises Superseded.

    `observation`: what that makes of the connection, unless it is wanted again by now. That
    WhatsApp could not be told is said all the same.
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
    broadcast.changed(connection.pk)
