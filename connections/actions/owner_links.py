"""Links for the phone's owner: made by staff, opened and used by whoever holds one.

The keys to an organization have their lines in the audit, and so do these; the request that is made
with one stands in the connection's history, with a label of its own.
"""

from __future__ import annotations

import hashlib
import secrets
from contextlib import suppress
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from connections import broadcast
from connections.actions.requests import (
    locked,
    request_cancel,
    request_reconnect,
)
from connections.lifecycle import PAIRING, Desired, State
from connections.limits import WINDOW
from connections.models import Connection, Method, OwnerLink
from connections.reason_texts import NEW_CODE_HELPS
from connections.refusals import (
    AlreadyConnected,
    LinkOver,
    NothingToCancel,
    OrganizationInactive,
    TooManyLinks,
)
from organizations.access import Actor
from organizations.audit import Action, log_audit

SECRET_BYTES = 20


def digest(secret: str) -> str:
    """What is stored of a secret. It is too long to be guessed, so a quick hash is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


def owner(link: OwnerLink, address: str | None = None) -> Actor:
    """Whoever holds the link, as the history remembers them."""
    return Actor(f"the phone's owner (link by {link.actor})", address=address)


@transaction.atomic
def make_owner_link(connection_id: int, actor: Actor) -> tuple[OwnerLink, str]:
    """A new link, and its secret, which is told only now. An older one opens nothing any more.

    Raises AlreadyConnected, OrganizationInactive, TooManyLinks, and PermissionDenied when the
    actor's right has ended meanwhile.
    """
    connection = locked(connection_id, actor)
    if not connection.organization.is_active:
        raise OrganizationInactive
    if _connected(connection):
        raise AlreadyConnected
    _allow(connection)
    _revoke_open(connection, actor)
    # Hexadecimal: chat programs leave a "-" or "_" at the end of a link out of it.
    secret, now = secrets.token_hex(SECRET_BYTES), timezone.now()
    link = OwnerLink.objects.create(
        connection=connection,
        secret_hash=digest(secret),
        made_at=now,
        expires_at=now + timedelta(seconds=settings.OWNER_LINK_SECONDS),
        **actor.columns,
    )
    log_audit(Action.OWNER_LINK_MADE, connection.organization, actor)
    broadcast.changed(connection.pk)
    return link, secret


@transaction.atomic
def revoke_owner_link(connection_id: int, actor: Actor) -> bool:
    """It opens nothing any more; a pairing that goes on through it ends, and its codes with it.

    Returns whether there was one to revoke.
    """
    return _revoke_open(locked(connection_id), actor)


@transaction.atomic
def open_owner_link(link: OwnerLink, address: str | None) -> None:
    """Someone looks at it. Only the first time counts."""
    if OwnerLink.objects.filter(pk=link.pk, opened_at=None).update(opened_at=timezone.now()):
        log_audit(Action.OWNER_LINK_OPENED, link.connection.organization, owner(link, address))
        broadcast.changed(link.connection_id)


@transaction.atomic
def use_owner_link(
    link: OwnerLink,
    browser: str,
    address: str | None,
    method: Method | None = None,
    number: str = "",
) -> None:
    """Ask for a connection with it: its attempt begins, and no browser but this one may go on.

    `browser`: a secret that only this browser knows. Without a `method`, a pairing that is under
    way is joined. Raises LinkOver, and what request_reconnect raises; then nothing has changed.
    """
    connection = locked(link.connection_id)
    link = OwnerLink.objects.get(pk=link.pk)
    if not link.is_open or (link.used_at and link.browser_hash != digest(browser)):
        raise LinkOver
    if link.used_at and method is None:
        return
    if method is None:
        method, number = _under_way(connection)
    who = owner(link, address)
    helps = connection.reason in NEW_CODE_HELPS
    request_reconnect(connection.pk, who, method, number, fresh_code=helps)
    if link.used_at:
        return
    newest = connection.events.order_by("-pk").values_list("pk", flat=True).first()
    OwnerLink.objects.filter(pk=link.pk).update(
        used_at=timezone.now(), browser_hash=digest(browser), last_event=newest or 0
    )
    log_audit(Action.OWNER_LINK_USED, connection.organization, who)
    broadcast.changed(connection.pk)


def _under_way(connection: Connection) -> tuple[Method, str]:
    """How to ask so that a pairing goes on which others have begun."""
    if connection.desired == Desired.CONNECTED and connection.state in PAIRING:
        return Method(connection.requested_method), connection.requested_number
    return Method.QR, ""


def _connected(connection: Connection) -> bool:
    wanted = connection.desired == Desired.CONNECTED
    return wanted and connection.state == State.CONNECTED and connection.has_worker


def _allow(connection: Connection) -> None:
    """Raises TooManyLinks."""
    limit = settings.OWNER_LINKS_PER_ORGANIZATION
    recent = connection.owner_links.filter(made_at__gt=timezone.now() - WINDOW)
    times = list(recent.order_by("-made_at").values_list("made_at", flat=True)[:limit])
    if len(times) == limit:
        wait = times[-1] + WINDOW - timezone.now()
        raise TooManyLinks(max(1, round(wait.total_seconds())))


def _revoke_open(connection: Connection, actor: Actor) -> bool:
    """Only the newest can be open: making one revokes the one before."""
    link = connection.owner_links.first()
    if link is None or not link.is_open:
        return False
    _revoke(link, connection, actor)
    return True


def revoke_unfinished(link: OwnerLink, connection: Connection, actor: Actor) -> bool:
    """Revoke this link of a locked connection, also when its maker has lost the right to it.

    Returns whether it was neither revoked nor over before.
    """
    link.refresh_from_db()
    if not link.is_unfinished:
        return False
    _revoke(link, connection, actor)
    return True


def _revoke(link: OwnerLink, connection: Connection, actor: Actor) -> None:
    OwnerLink.objects.filter(pk=link.pk).update(revoked_at=timezone.now())
    log_audit(Action.OWNER_LINK_REVOKED, connection.organization, actor)
    if link.used_at:
        # What it shows could still be scanned.
        with suppress(NothingToCancel):
            request_cancel(connection.pk, actor)
    broadcast.changed(connection.pk)
