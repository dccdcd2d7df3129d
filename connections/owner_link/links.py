"""Links for the phone's owner: find one by its secret or cookie."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from connections.actions.owner_links import MAX_LIFETIME
from connections.models import OwnerLink
from organizations.secret_links import hash_secret

# How long the link's browser sees the outcome after its end.
OUTCOME_SHOWN_FOR = timedelta(hours=1)

SEPARATOR = "."

LinkState = OwnerLink.State


def find_by_secret(secret: str) -> OwnerLink | None:
    """Return the link with this secret, in whatever state it is."""
    links = OwnerLink.objects.select_related("connection__organization", "user")
    return links.filter(secret_hash=hash_secret(secret)).first()


def cookie_lasts(link: OwnerLink) -> timedelta:
    """Return how long the cookie of an opened link lasts: its tries, and the outcome after them."""
    tries = timedelta(seconds=settings.OWNER_LINK_SECONDS)  # from the first one
    return link.expires_at - timezone.now() + tries + OUTCOME_SHOWN_FOR


def find_by_cookie(cookie: str) -> OwnerLink | None:
    """Return the link that a browser may open with this cookie, if any.

    `cookie`: the link's secret, the separator and the browser's own secret. Until a link is used,
    every browser with its secret may open it; then only the one that used it. Both also see the
    outcome for OUTCOME_SHOWN_FOR.
    """
    link = find_by_secret(cookie.partition(SEPARATOR)[0])
    if link is None:
        return None
    if link.used_at is not None and link.browser_hash != hash_secret(cookie):
        return None
    if link.used_at is None and link.opened_at is None and not link.is_open:
        return None  # Nobody waits for its outcome.
    if link.revoked_at is None and link.state in (LinkState.LINKED, LinkState.FAILED):
        ending = link.ending_event()
        ended_at = link.linked_at or (ending.at if ending else link.ends_at)
        return link if timezone.now() < ended_at + OUTCOME_SHOWN_FOR else None
    return link if link.is_open else None


# --- For staff ----------------------------------------------------------------------------------


def lifetimes() -> list[timedelta]:
    """Return how long staff may let a link be valid, the usual time first."""
    usual = timedelta(seconds=settings.OWNER_LINK_SECONDS)
    longer = (timedelta(hours=hours) for hours in (1, 4, 24, 72))
    return [usual, *(each for each in longer if usual < each <= MAX_LIFETIME)]
