"""Links for the phone's owner: who shows one, and what staff and the owner are told about it."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from connections.actions.owner_links import digest
from connections.lifecycle import PAIRING, Reason, State
from connections.models import Connection, Method, OwnerLink
from connections.observed import Observed, observe
from connections.serializers import snapshot

# How long staff are told of a link, and the browser that used it of what came of it.
TOLD_FOR = timedelta(days=1)
REMEMBERED_FOR = timedelta(hours=1)

SEPARATOR = "."


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

LinkState = OwnerLink.State

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
        "openedAt": newest.opened_at.isoformat() if newest.opened_at else None,
        "usedAt": newest.used_at.isoformat() if newest.used_at else None,
        "canRevoke": newest.is_open,
    }


# --- What the owner is told ---------------------------------------------------------------------


class Stage(StrEnum):
    """What the owner's page shows. Nothing of the organization but its name is told with it."""

    READY = "ready"
    RESTING = "resting"  # it cannot be connected now, and why is not for them
    CONNECTED = "connected"  # others were quicker
    WAIT = "wait"
    QR = "qr"
    TYPED = "typed"
    DONE = "done"
    OVER = "over"


STAGES = {
    Stage.READY: _("Have the phone at hand, then press the button."),
    Stage.RESTING: _("WhatsApp cannot be connected at the moment."),
    Stage.CONNECTED: _("WhatsApp is connected already. There is nothing to do."),
    Stage.WAIT: _("One moment: a code is on its way."),
    Stage.QR: _("Scan this code with WhatsApp."),
    Stage.TYPED: _("Type this code in WhatsApp."),
    Stage.DONE: _("Done. WhatsApp is connected."),
    Stage.OVER: _("The phone could not be linked."),
}
FINISHING = _("The phone took the code. One moment more.")
NOT_IN_TIME = _("The code was not used in time.")


def screen(link: OwnerLink) -> dict[str, Any]:
    """What the owner's page shows, whole, ready for JSON."""
    observed = observe(link.connection_id)
    stage, sentence = _stage(link, observed)
    shown = snapshot(observed, may_operate=True)
    pairing = shown["pairing"] if stage == Stage.QR else None
    typed = shown["phoneCode"] if stage == Stage.TYPED else None
    code = pairing or typed or {}
    waiting = stage in (Stage.WAIT, Stage.QR, Stage.TYPED)
    return {
        "type": "screen",
        "stage": str(stage),
        "sentence": gettext(sentence),
        "qr": pairing["qr"] if pairing else None,
        "codeNumber": pairing["codeNumber"] if pairing else None,
        "codeCount": pairing["codeCount"] if pairing else None,
        "code": typed["code"] if typed else None,
        "secondsLeft": code.get("secondsLeft"),
        "secondsInAll": code.get("secondsInAll"),
        "canType": waiting and shown["canLinkByPhone"],
        "canScan": waiting and shown["canShowQr"],
    }


def _stage(link: OwnerLink, observed: Observed) -> tuple[Stage, str]:
    state = link.state
    if state == LinkState.LINKED:
        return Stage.DONE, STAGES[Stage.DONE]
    if state == LinkState.FAILED:
        ending = link.ending()
        late = ending is None or ending.reason == Reason.CODES_EXPIRED
        return Stage.OVER, NOT_IN_TIME if late else STAGES[Stage.OVER]
    stage = _going_on(observed) if state == LinkState.IN_USE else _before(observed)
    if stage == Stage.WAIT and observed.reason == Reason.FINISHING:
        return stage, FINISHING
    return stage, STAGES[stage]


def _before(observed: Observed) -> Stage:
    if observed.state == State.CONNECTED:
        return Stage.CONNECTED
    resting = observed.inactive or observed.connection.banned_until is not None
    return Stage.RESTING if resting else Stage.READY


def _going_on(observed: Observed) -> Stage:
    if observed.inactive:
        return Stage.RESTING
    if observed.state not in PAIRING:
        return Stage.WAIT
    if observed.phone_code:
        return Stage.TYPED
    return Stage.QR if observed.code else Stage.WAIT


def asks_number(connection: Connection) -> bool:
    """Whether the owner has to say which number the phone has; an expected one is not told."""
    return not connection.organization.expected_number


def method_of(connection: Connection) -> Method:
    """How the phone is being linked."""
    return Method(connection.requested_method)
