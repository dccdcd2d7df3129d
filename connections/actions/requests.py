"""What people ask for: each request raises the generation, so that nothing older counts."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from connections import broadcast, limits
from connections.actions.transitions import Outcome, apply_transition, end_attempts
from connections.lifecycle import PAIRING, AnyObservation, Desired, Observation, Reason, State
from connections.models import Connection, Method
from connections.refusals import (
    AlreadyConnected,
    NothingToCancel,
    OrganizationInactive,
    TemporarilyBanned,
    UnexpectedNumber,
)
from organizations.access import Actor, Permission
from organizations.locks import lock_organization
from organizations.models import Organization
from organizations.phone_numbers import same_number

REQUESTED = (
    "desired",
    "generation",
    "requested_by",
    "requested_method",
    "requested_number",
    "fresh_code",
    "logout_pending",
)


@transaction.atomic
def request_reconnect(
    connection_id: int,
    actor: Actor,
    method: Method = Method.QR,
    number: str = "",
    fresh_code: bool = False,
) -> Connection:
    """Ask for a connection. What is already under way is left to go on.

    `method` PHONE: by a code that is typed on the phone with this `number` (digits), instead of a
    QR code. `fresh_code`: show a code even if there is a saved login, which is kept until a phone
    is linked. The connection's `replaced_attempt` is the pairing that this request ended, if any.

    Raises AlreadyConnected when there is nothing to reconnect, OrganizationInactive,
    UnexpectedNumber, TemporarilyBanned, TooManyRequests, and PermissionDenied when the actor's
    right has ended meanwhile.
    """
    connection = locked(connection_id, actor)
    if not connection.organization.is_active:
        raise OrganizationInactive
    expected = connection.organization.expected_number
    if number and expected and not same_number(expected, number):
        raise UnexpectedNumber
    if connection.desired == Desired.CONNECTED:
        # Without a worker the row tells of a link that is gone, and readers are told so.
        if connection.state == State.CONNECTED and connection.has_worker:
            raise AlreadyConnected
        if connection.banned_until is not None:
            raise TemporarilyBanned(connection.banned_until)
        asked_again = (connection.requested_method, connection.requested_number) == (method, number)
        asked_again = asked_again and (connection.pairs or not fresh_code)
        # Whoever changes the method goes on beside the saved login.
        fresh_code = fresh_code or (connection.pairs and connection.fresh_code)
        # A phone that has accepted a code must not be thrown out by a repetition.
        if _under_way(connection) and (asked_again or connection.reason == Reason.FINISHING):
            return connection
    limits.check(connection, actor)
    connection.requested_by = actor.short_label
    connection.requested_method, connection.requested_number = method, number
    connection.fresh_code = fresh_code and bool(connection.store_name)
    if connection.state in PAIRING:
        connection.replaced_attempt = connection.open_attempt()
    return _request(connection, Desired.CONNECTED, Observation.RECONNECT_REQUESTED, actor)


@transaction.atomic
def request_disconnect(connection_id: int, actor: Actor) -> Connection:
    """Ask for a logout, a stopped socket and deleted credentials."""
    connection = locked(connection_id)
    if connection.desired == Desired.DISCONNECTED and connection.disconnecting:
        return connection
    connection.logout_pending, connection.fresh_code = True, False
    return _request(connection, Desired.DISCONNECTED, Observation.DISCONNECT_REQUESTED, actor)


@transaction.atomic
def request_cancel(connection_id: int, actor: Actor) -> Connection:
    """Ask for the end of a pairing that is under way. Raises NothingToCancel."""
    connection = locked(connection_id)
    if connection.desired != Desired.CONNECTED or not connection.pairs:
        raise NothingToCancel
    if not connection.store_name:
        return _request(connection, Desired.DISCONNECTED, Observation.CANCEL_REQUESTED, actor)
    # The saved login is resumed as after a restart: nobody waits for a code any more.
    connection.fresh_code = False
    connection.started_generation = connection.generation + 1
    connection.save(update_fields=["started_generation"])
    return _request(connection, Desired.CONNECTED, Reason.SAVED_LOGIN_KEPT, actor)


def locked(connection_id: int, actor: Actor | None = None) -> Connection:
    """Lock a connection, and return it read again.

    With `actor`, their right to operate is locked and checked again, for what lasts only as long as
    that right. Raises PermissionDenied.
    """
    if actor is not None and actor.caller is not None:
        lock_organization(Organization(pk=connection_id), actor, Permission.OPERATE)
    locked = Connection.objects.select_for_update(of=("self",)).select_related("organization")
    return locked.get(pk=connection_id)


def _under_way(connection: Connection) -> bool:
    """Whether an earlier request is still being carried out, or waits for a worker to begin."""
    if connection.state not in PAIRING:
        return False
    if connection.started_generation < connection.generation:
        return True
    attempt = connection.open_attempt()
    return connection.has_worker and (attempt is None or attempt.expires_at > timezone.now())


def _request(
    connection: Connection, desired: Desired, observation: AnyObservation, actor: Actor
) -> Connection:
    # Who leaves during a ban must not try WhatsApp either.
    retry_at = connection.banned_until if desired == Desired.DISCONNECTED else None
    connection.desired = desired
    connection.generation += 1
    connection.save(update_fields=REQUESTED)
    end_attempts(connection, Outcome.CANCELLED)
    apply_transition(connection, observation, actor=actor, retry_at=retry_at)
    broadcast.requested(connection.pk)
    return connection
