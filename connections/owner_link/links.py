"""Links for the phone's owner: who shows one, and what staff are told about it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.formats import time_format
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from connections.actions.owner_links import digest
from connections.models import Connection, OwnerLink

# How long staff are told of a link, and the browser that used it of what came of it.
TOLD_FOR = timedelta(days=1)
REMEMBERED_FOR = timedelta(hours=1)

SEPARATOR = "."

LinkState = OwnerLink.State


# --- Who shows one ------------------------------------------------------------------------------


def of_secret(secret: str) -> OwnerLink | None:
    """The link with this secret, whatever has become of it."""
    links = OwnerLink.objects.select_related("connection__organization", "user")
    return links.filter(secret_hash=digest(secret)).first()


def of_browser(held: str) -> OwnerLink | None:
    """The link that a browser may see by what its cookie holds: a secret, then one of its own.

    Until it is used, every browser with the secret may; then only the one that used it, which is
    also told for a while how that ended.
    """
    link = of_secret(held.partition(SEPARATOR)[0])
    if link is None:
        return None
    if link.used_at is not None:
        if link.browser_hash != digest(held):
            return None
        ending = link.ending()
        ended_at = ending.at if ending else link.ends_at
        if link.revoked_at is None and link.state in (LinkState.LINKED, LinkState.FAILED):
            return link if timezone.now() < ended_at + REMEMBERED_FOR else None
    return link if link.is_open else None


# --- What staff are told ------------------------------------------------------------------------

SENTENCES = {
    LinkState.NEW: _("The link has not been opened yet."),
    LinkState.OPENED: _("The link was opened. It has not been used yet."),
    LinkState.IN_USE: _("The phone's owner is using the link."),
    LinkState.LINKED: _("The link was used: the phone is linked."),
    LinkState.FAILED: _("The link was used, but the phone was not linked. Make a new one."),
    LinkState.EXPIRED: _("The link expired before it was used. Make a new one."),
    LinkState.REVOKED: _("The link was revoked."),
}


def told(connection: Connection) -> dict[str, Any] | None:
    """The newest link of a connection, ready for JSON; None where none was made lately."""
    newest = connection.owner_links.select_related("connection__organization", "user").first()
    if newest is None or newest.made_at < timezone.now() - TOLD_FOR:
        return None
    state = newest.state
    return {
        "state": str(state),
        "sentence": gettext(SENTENCES[state]),
        "by": newest.actor,
        "madeAt": newest.made_at.isoformat(),
        "expiresAt": newest.expires_at.isoformat(),
        "expiresText": time_format(timezone.localtime(newest.expires_at), "TIME_FORMAT"),
        "openedAt": newest.opened_at.isoformat() if newest.opened_at else None,
        "usedAt": newest.used_at.isoformat() if newest.used_at else None,
        "canRevoke": newest.is_open,
    }
