"""People's requests. Each raises the generation, so that writes for older ones have no effect."""

from __future__ import annotations

from datetime import datetime

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

REQUEST_FIELDS = (
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
    """Request a connection. The same request again lets the one in progress go on.

    `method` PHONE: by a code that is typed on the phone with this `number` (digits), instead of a
    QR code. `fresh_code`: show a code even if there is a saved login, which is kept until a phone
    is linked. The connection's `replaced_attempt` is the pairing that this request ended, if any.

    Raises AlreadyConnected when there is nothing to reconnect, OrganizationInactive,
    UnexpectedNumber, TemporarilyBanned, TooManyRequests, and PermissionDenied when the actor's
    right has ended meanwhile.
    """
    connection = lock_connection(connection_id, actor)
    _raise_if_refused(connection, number)
    if connection.desired == Desired.CONNECTED:
        if _repeats_request(connection, method, number, fresh_code):
            return connection
        # Changing the method keeps the saved login.
        fresh_code = fresh_code or (connection.is_pairing and connection.fresh_code)
    limits.check(connection, actor)
    connection.requested_by = actor.short_label
    connection.requested_method, connection.requested_number = method, number
    connection.fresh_code = fresh_code and bool(connection.store_name)
    if connection.state in PAIRING:
        connection.replaced_attempt = connection.open_attempt()
    return save_request(connection, Desired.CONNECTED, Observation.RECONNECT_REQUESTED, actor)


@transaction.atomic
def request_disconnect(connection_id: int, actor: Actor) -> Connection:
    """Request a logout, a closed socket and the deletion of the credentials.

    Raises PermissionDenied when the actor's right has ended meanwhile.
    """
    connection = lock_connection(connection_id, actor)
    if connection.desired == Desired.DISCONNECTED and connection.disconnecting:
        return connection
    connection.logout_pending, connection.fresh_code = True, False
    return save_request(connection, Desired.DISCONNECTED, Observation.DISCONNECT_REQUESTED, actor)


@transaction.atomic
def request_final_disconnect(connection_id: int, actor: Actor, *, confirmed: bool) -> Connection:
    """Request the disconnect of an organization that is being removed, also once more.

    `confirmed`: the credentials stay, and the logout is tried again, until WhatsApp confirms it.
    """
    connection = lock_connection(connection_id)
    connection.logout_pending, connection.fresh_code = True, False
    connection.logout_required = confirmed
    connection.save(update_fields=["logout_required"])
    return save_request(connection, Desired.DISCONNECTED, Observation.DISCONNECT_REQUESTED, actor)


@transaction.atomic
def request_cancel(connection_id: int, actor: Actor, generation: int | None = None) -> Connection:
    """Request the end of a pairing, or only of the one of this generation.

    No right is checked: who takes a right away also ends the pairings that were made with it.
    Raises NothingToCancel.
    """
    connection = lock_connection(connection_id)
    if generation not in (None, connection.generation):
        raise NothingToCancel
    if connection.desired != Desired.CONNECTED or not connection.is_pairing:
        raise NothingToCancel
    if not connection.store_name:
        return save_request(connection, Desired.DISCONNECTED, Observation.CANCEL_REQUESTED, actor)
    # Resume the saved login as after a restart: nobody waits for a code any more.
    connection.fresh_code = False
    connection.started_generation = connection.generation + 1
    connection.save(update_fields=["started_generation"])
    return save_request(connection, Desired.CONNECTED, Reason.SAVED_LOGIN_KEPT, actor)


def _raise_if_refused(connection: Connection, number: str) -> None:
    """Raise a RequestRefused if a reconnect is not possible now, whatever runs already."""
    if not connection.organization.is_active:
        raise OrganizationInactive
    expected = connection.organization.expected_number
    if number and expected and not same_number(expected, number):
        raise UnexpectedNumber(expected)
    if connection.desired == Desired.CONNECTED:
        # Without a worker, the stored link is gone, and readers see it as unowned.
        if connection.state == State.CONNECTED and connection.has_worker:
            raise AlreadyConnected
        if connection.banned_until is not None:
            raise TemporarilyBanned(connection.banned_until)


def _repeats_request(connection: Connection, method: Method, number: str, fresh_code: bool) -> bool:
    """Return whether the request in progress already does what is asked for."""
    same_code = (connection.requested_method, connection.requested_number) == (method, number)
    repeats = same_code and (connection.is_pairing or not fresh_code)
    # A repetition must not interrupt a phone that has accepted a code.
    return (repeats or connection.reason == Reason.FINISHING) and _in_progress(connection)


def lock_connection(connection_id: int, actor: Actor | None = None) -> Connection:
    """Lock a connection, and return it read again.

    With `actor`, also lock and check again their right to operate, for requests that depend on it.
    Raises PermissionDenied.
    """
    if actor is not None and actor.caller is not None:
        lock_organization(Organization(pk=connection_id), actor, Permission.OPERATE)
    connections = Connection.objects.select_for_update(of=("self",))
    return connections.select_related("organization").get(pk=connection_id)


def _in_progress(connection: Connection) -> bool:
    """Return whether an earlier request is being carried out, or waits for a worker."""
    if connection.state not in PAIRING:
        return False
    if connection.started_generation < connection.generation:
        return True
    attempt = connection.open_attempt()
    if not connection.has_worker:
        # The next worker finds out whether the phone is linked, and goes on with that login.
        return attempt is not None and connection.reason == Reason.FINISHING
    return attempt is None or attempt.expires_at > timezone.now()


def save_request(
    connection: Connection, desired: Desired, observation: AnyObservation, actor: Actor
) -> Connection:
    """Save a request on a locked connection, and notify workers."""
    # A disconnect during a ban must not try WhatsApp either.
    retry_at = _ban_to_wait_for(connection) if desired == Desired.DISCONNECTED else None
    connection.desired = desired
    connection.generation += 1
    connection.save(update_fields=REQUEST_FIELDS)
    end_attempts(connection, Outcome.CANCELLED)
    apply_transition(connection, observation, actor=actor, retry_at=retry_at)
    broadcast.notify_requested(connection.pk)
    return connection


def _ban_to_wait_for(connection: Connection) -> datetime | None:
    """Return the end of a ban, also of one that a disconnect waits for already."""
    if connection.reason != Reason.DISCONNECTING:
        return connection.banned_until
    until = connection.retry_at
    return until if until is not None and until > timezone.now() else None
