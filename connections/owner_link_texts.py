"""What staff see of a link for the phone's owner."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from connections.durations import format_time
from connections.lifecycle import Reason
from connections.models import ConnectionEvent, OwnerLink
from connections.status import ConnectionStatus

SHOWN_FOR = timedelta(days=1)

LinkState = OwnerLink.State

SENTENCES = {
    LinkState.NEW: _("The link has not been opened yet."),
    LinkState.OPENED: _("The link was opened. It has not been used yet."),
    LinkState.LINKED: _("The link was used: the phone is linked."),
    LinkState.EXPIRED: _("The link expired before it was used. Make a new one."),
    LinkState.REVOKED: _("The link was revoked."),
}
LINKED_OTHERWISE = _("The phone was linked without the link, which has ended with that.")
PREPARING = _("The phone's owner is linking now: a code is on its way to their screen.")
QR_SHOWN = _("The phone's owner is linking now: the QR code is on their screen.")
CODE_SHOWN = _("The phone's owner is linking now: the code to type is on their screen.")
FINISHING = _("The phone's owner is linking now: their phone took the code.")

NOT_IN_TIME = _("The phone's owner did not use the code in time.")
FAILURES = {
    Reason.CODES_EXPIRED: NOT_IN_TIME,
    Reason.WRONG_NUMBER: _("The phone's owner used a phone with another number than expected."),
    Reason.NUMBER_IN_USE: _(
        "The phone's owner used a phone that belongs to another organization here."
    ),
    Reason.PAIRING_CANCELLED: _("The linking was cancelled."),
    Reason.SAVED_LOGIN_KEPT: _("The linking was cancelled."),
}
NOT_LINKED = _("The link was used, but the phone was not linked.")
TRY_AGAIN = _("They can try again with the same link.")
MAKE_NEW = _("Make a new link.")


def as_json(newest: OwnerLink | None, status: ConnectionStatus) -> dict[str, Any] | None:
    """Return the newest link of a connection, ready for JSON; None if none was made lately."""
    if newest is None:
        return None
    state = newest.state
    if newest.made_at < timezone.now() - SHOWN_FOR and state not in OwnerLink.OPEN:
        return None
    return {
        "state": str(state),
        "sentence": _sentence(newest, state, status),
        "by": newest.actor,
        "madeAt": newest.made_at.isoformat(),
        "expiresAt": newest.expires_at.isoformat(),
        "expiresText": format_time(newest.expires_at),
        "openedAt": newest.opened_at.isoformat() if newest.opened_at else None,
        "usedAt": newest.used_at.isoformat() if newest.used_at else None,
        "canRevoke": state in OwnerLink.OPEN,
    }


def describe(link: OwnerLink, status: ConnectionStatus) -> str:
    """Return what became of the newest link of a connection so far."""
    return _sentence(link, link.state, status)


def newest_link(status: ConnectionStatus) -> OwnerLink | None:
    """Return the newest link of a connection, if there is one."""
    links = status.connection.owner_links.select_related("connection__organization", "user")
    return links.first()


def linking_now(newest: OwnerLink | None, status: ConnectionStatus) -> str:
    """Return what the phone's owner sees at this moment; "" if they are not linking."""
    if newest is None or not status.is_pairing or newest.state != LinkState.IN_USE:
        return ""
    return _progress(status)


def _sentence(link: OwnerLink, state: OwnerLink.State, status: ConnectionStatus) -> str:
    if state == LinkState.IN_USE:
        return _progress(status)
    if state in (LinkState.RETRY, LinkState.FAILED):
        next_step = TRY_AGAIN if state == LinkState.RETRY else MAKE_NEW
        return f"{gettext(_failure(link.ending_event()))} {gettext(next_step)}"
    if state == LinkState.LINKED and link.used_at is None:
        return gettext(LINKED_OTHERWISE)
    return gettext(SENTENCES[state])


def _progress(status: ConnectionStatus) -> str:
    if status.reason == Reason.FINISHING:
        return gettext(FINISHING)
    if status.phone_code:
        return gettext(CODE_SHOWN)
    return gettext(QR_SHOWN if status.code else PREPARING)


def _failure(ending: ConnectionEvent | None) -> str:
    if ending is None:
        return NOT_IN_TIME
    return FAILURES.get(Reason(ending.reason), NOT_LINKED)
