"""Links for the phone's owner: made by staff, opened and used by whoever has one.

The audit log records them like all keys to an organization. The connection's history has the
request made with one, with a label of its own.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from connections import broadcast
from connections.actions.requests import (
    lock_connection,
    request_cancel,
    request_reconnect,
)
from connections.lifecycle import PAIRING, Desired, State
from connections.limits import WINDOW
from connections.models import Connection, Method, OwnerLink
from connections.reason_texts import NO_CODE_FOLLOWS
from connections.refusals import (
    AlreadyConnected,
    LinkOver,
    NothingToCancel,
    OrganizationInactive,
    OwnerLinkMadeMeanwhile,
    TemporarilyBanned,
    TooManyOwnerLinks,
)
from organizations.access import Actor
from organizations.audit import Action, log_audit
from organizations.secret_links import hash_secret

SECRET_BYTES = 20
MAX_LIFETIME = timedelta(days=3)
"""The longest time that an unused link may be valid."""


def owner_actor(link: OwnerLink, address: str | None = None) -> Actor:
    """Return the actor that the history names for requests made with this link."""
    return Actor(f"the phone's owner (link by {link.actor})", address=address)


@transaction.atomic
def make_owner_link(
    connection_id: int,
    actor: Actor,
    lifetime: timedelta | None = None,
    seen: datetime | None = None,
) -> tuple[OwnerLink, str]:
    """Create a link and revoke the one before. Return it with its secret, which is not stored.

    `lifetime`: OWNER_LINK_SECONDS if it is not given, and at most MAX_LIFETIME. `seen`: when the
    newest link that the actor knows of was made; a later one is not revoked.

    Raises what check_linkable raises, OwnerLinkMadeMeanwhile, TooManyOwnerLinks, and
    PermissionDenied when the actor's right has ended meanwhile.
    """
    connection = lock_connection(connection_id, actor)
    check_linkable(connection)
    newest = connection.owner_links.first()
    if seen is not None and newest is not None and newest.made_at > seen:
        raise OwnerLinkMadeMeanwhile(newest.made_at, newest.actor)
    check_limit(connection)
    _revoke_open(connection, actor)
    # Hexadecimal: chat programs cut a "-" or "_" off the end of a link.
    secret, now = secrets.token_hex(SECRET_BYTES), timezone.now()
    lifetime = min(lifetime or timedelta(seconds=settings.OWNER_LINK_SECONDS), MAX_LIFETIME)
    link = OwnerLink.objects.create(
        connection=connection,
        secret_hash=hash_secret(secret),
        made_at=now,
        expires_at=now + lifetime,
        **actor.columns,
    )
    until = f"→ {link.expires_at:%Y-%m-%d %H:%M} UTC"
    log_audit(Action.OWNER_LINK_MADE, connection.organization, actor, until)
    broadcast.notify_changed(connection.pk)
    return link, secret


@transaction.atomic
def revoke_owner_link(connection_id: int, actor: Actor) -> bool:
    """Revoke the open link, and end the pairing that was started with it.

    Return whether there was one to revoke. Raises PermissionDenied when the actor's right has ended
    meanwhile.
    """
    return _revoke_open(lock_connection(connection_id, actor), actor)


@transaction.atomic
def open_owner_link(link: OwnerLink, address: str | None) -> None:
    """Record that the link was opened; only the first time counts."""
    if OwnerLink.objects.filter(pk=link.pk, opened_at=None).update(opened_at=timezone.now()):
        log_audit(
            Action.OWNER_LINK_OPENED, link.connection.organization, owner_actor(link, address)
        )
        broadcast.notify_changed(link.connection_id)


@transaction.atomic
def use_owner_link(
    link: OwnerLink,
    browser: str,
    address: str | None,
    method: Method | None = None,
    number: str = "",
) -> None:
    """Request a connection with the link. From then on only this browser may use it.

    `browser`: the browser's cookie. Without a `method`, join a pairing that is in progress. After
    an attempt that failed, start another one. Raises LinkOver and what request_reconnect raises;
    then nothing has changed.
    """
    connection, link = _lock_open(link, browser)
    in_use = link.state == OwnerLink.State.IN_USE
    if in_use and method is None:
        return
    if method is None:
        method, number = _current_method(connection)
    actor = owner_actor(link, address)
    fresh_code = connection.reason in NO_CODE_FOLLOWS
    request_reconnect(connection.pk, actor, method, number, fresh_code)
    if in_use:
        return
    now = timezone.now()
    if link.used_at is None:
        # Who comes in the last minute has time to try again, too.
        again_until = now + timedelta(seconds=settings.OWNER_LINK_SECONDS)
        link.expires_at = max(link.expires_at, again_until)
    newest = connection.events.order_by("-pk").values_list("pk", flat=True).first()
    OwnerLink.objects.filter(pk=link.pk).update(
        used_at=now,
        expires_at=link.expires_at,
        browser_hash=hash_secret(browser),
        last_event=newest or 0,
    )
    log_audit(Action.OWNER_LINK_USED, connection.organization, actor)
    broadcast.notify_changed(connection.pk)


@transaction.atomic
def cancel_owner_attempt(link: OwnerLink, browser: str, address: str | None) -> None:
    """End the attempt of the link, which may be tried again. Raises LinkOver."""
    connection, link = _lock_open(link, browser)
    if link.state == OwnerLink.State.IN_USE:
        with suppress(NothingToCancel):
            request_cancel(connection.pk, owner_actor(link, address))


def _lock_open(link: OwnerLink, browser: str) -> tuple[Connection, OwnerLink]:
    """Lock the link's connection. Return both, read again. Raises LinkOver for other browsers."""
    connection = lock_connection(link.connection_id)
    link = OwnerLink.objects.get(pk=link.pk)
    if not link.is_open or (link.used_at and link.browser_hash != hash_secret(browser)):
        raise LinkOver
    return connection, link


def _current_method(connection: Connection) -> tuple[Method, str]:
    """Return the method and number of the pairing in progress, or those of a QR code."""
    if connection.desired == Desired.CONNECTED and connection.state in PAIRING:
        return Method(connection.requested_method), connection.requested_number
    return Method.QR, ""


def check_linkable(connection: Connection) -> None:
    """Raise OrganizationInactive, AlreadyConnected or TemporarilyBanned if no phone can be linked.

    A ban ends by itself, without a phone.
    """
    if not connection.organization.is_active:
        raise OrganizationInactive
    desired = connection.desired == Desired.CONNECTED
    if desired and connection.state == State.CONNECTED and connection.has_worker:
        raise AlreadyConnected
    if connection.banned_until is not None:
        raise TemporarilyBanned(connection.banned_until)


def check_limit(connection: Connection) -> None:
    """Raise TooManyOwnerLinks if OWNER_LINKS_PER_ORGANIZATION were made in WINDOW."""
    limit = settings.OWNER_LINKS_PER_ORGANIZATION
    recent = connection.owner_links.filter(made_at__gt=timezone.now() - WINDOW)
    times = list(recent.order_by("-made_at").values_list("made_at", flat=True)[:limit])
    if len(times) == limit:
        wait = times[-1] + WINDOW - timezone.now()
        raise TooManyOwnerLinks(max(1, round(wait.total_seconds())))


def _revoke_open(connection: Connection, actor: Actor) -> bool:
    """Revoke the newest link if it is open. Making one revokes the one before."""
    link = connection.owner_links.first()
    if link is None or not link.is_open:
        return False
    _revoke(link, connection, actor)
    return True


def revoke_unfinished(link: OwnerLink, connection: Connection, actor: Actor) -> bool:
    """Revoke a link of a locked connection, also when its maker has lost the right to it.

    Return whether it was neither revoked nor over before.
    """
    link.refresh_from_db()
    if not link.is_unfinished:
        return False
    _revoke(link, connection, actor)
    return True


def _revoke(link: OwnerLink, connection: Connection, actor: Actor) -> None:
    OwnerLink.objects.filter(pk=link.pk).update(revoked_at=timezone.now())
    log_audit(Action.OWNER_LINK_REVOKED, connection.organization, actor)
    if link.used_at and link.ending_event() is None:
        # The code on its page could still be scanned.
        with suppress(NothingToCancel):
            request_cancel(connection.pk, actor)
    broadcast.notify_changed(connection.pk)
