"""The content of the owner's page."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from connections import qr
from connections.code_lifetimes import qr_code_seconds, seconds_to_the_last
from connections.lifecycle import PAIRING, Reason, State
from connections.models import Method, OwnerLink
from connections.status import ConnectionStatus, read_status
from organizations.phone_numbers import spellings

LinkState = OwnerLink.State


class Stage(StrEnum):
    """What the owner's page shows. Of the organization it shows nothing but the name."""

    READY = "ready"
    RETRY = "retry"  # no phone was linked; the link can be used again
    RESTING = "resting"  # it cannot be connected now; the owner does not learn why
    CONNECTED = "connected"  # somebody else has connected it
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
    Stage.QR: _("Scan the code with the phone, or link with its number."),
    Stage.TYPED: _("Type this code in WhatsApp."),
    Stage.DONE: _("Done. WhatsApp is connected."),
    Stage.OVER: _("The phone could not be linked."),
}
FINISHING = _("The phone took the code. One moment more.")
NOT_IN_TIME = _("The code was not used in time.")
CANCELLED = _("Linking was cancelled. No phone was linked.")
# Whoever has the link reads these, so they tell nothing of a number or of other organizations.
FAILURES = {
    Reason.CODES_EXPIRED: NOT_IN_TIME,
    Reason.PAIRING_CANCELLED: CANCELLED,
    Reason.SAVED_LOGIN_KEPT: CANCELLED,
    Reason.WRONG_NUMBER: _(
        "That phone has another number than this link is for. It was unlinked right away."
    ),
    Reason.NUMBER_IN_USE: _("That phone cannot be used here. It was unlinked right away."),
    Reason.PAIRING_PASSKEY: _(
        "The phone asks for a passkey, which only WhatsApp's own apps can answer."
    ),
}
HINTS = {
    Reason.WRONG_NUMBER: _(
        "Use the phone with the right number. If you are not sure which one it is, ask whoever "
        "sent you this link."
    ),
    Reason.NUMBER_IN_USE: _("Use another phone, or ask whoever sent you this link."),
    Reason.PAIRING_PASSKEY: _(
        "Remove the passkey on the phone under WhatsApp → Settings → Account → Passkeys, or use a "
        "phone without a passkey."
    ),
}


def screen(link: OwnerLink) -> dict[str, Any]:
    """Return the content of the owner's page, ready for JSON."""
    status = read_status(link.connection_id)
    stage, sentence = _stage(link, status)
    attempt = status.attempt
    content: dict[str, Any] = {
        "type": "screen",
        "stage": str(stage),
        "sentence": gettext(sentence),
        "hint": _hint(link) if stage == Stage.RETRY else "",
        "attempt": None,
        "qr": None,
        "codeNumber": None,
        "codeCount": None,
        "code": None,
        "secondsLeft": None,
        "secondsInAll": None,
        **_allowed(stage, status),
    }
    if attempt is None or attempt.code_expires_at is None or stage not in (Stage.QR, Stage.TYPED):
        return content
    content["attempt"] = attempt.pk
    content["secondsLeft"] = (attempt.code_expires_at - timezone.now()).total_seconds()
    if stage == Stage.TYPED:
        seconds_in_all = seconds_to_the_last(1, attempt.code_count)
        return content | {"code": status.phone_code, "secondsInAll": seconds_in_all}
    return content | {
        "qr": qr.svg_url(status.code),
        "codeNumber": attempt.code_number,
        "codeCount": attempt.code_count,
        "secondsInAll": qr_code_seconds(attempt.code_number, attempt.code_count),
    }


def _allowed(stage: Stage, status: ConnectionStatus) -> dict[str, bool]:
    """Return which buttons for another code the page shows."""
    connection = status.connection
    in_progress = stage in (Stage.WAIT, Stage.QR, Stage.TYPED) and status.is_pairing
    switchable = in_progress and status.reason != Reason.FINISHING
    by_phone = connection.requested_method == Method.PHONE
    has_other_spelling = stage == Stage.TYPED and bool(spellings(connection.requested_number))
    return {
        "canCancel": switchable,
        "canType": switchable,
        "canScan": switchable and by_phone,
        "canTryOtherSpelling": switchable and by_phone and has_other_spelling,
    }


def _stage(link: OwnerLink, status: ConnectionStatus) -> tuple[Stage, str]:
    state = link.state
    if state == LinkState.LINKED:
        return Stage.DONE, STAGES[Stage.DONE]
    if state == LinkState.FAILED:
        return Stage.OVER, _failure(link)
    stage = _stage_in_use(status) if state == LinkState.IN_USE else _stage_before_use(status)
    if stage == Stage.WAIT and status.reason == Reason.FINISHING:
        return stage, FINISHING
    if state == LinkState.RETRY and stage == Stage.READY:
        return Stage.RETRY, _failure(link)
    return stage, STAGES[stage]


def _failure(link: OwnerLink) -> str:
    """Return why the link's newest attempt linked no phone."""
    ending = link.ending_event()
    if ending is None:
        return NOT_IN_TIME
    return FAILURES.get(Reason(ending.reason), STAGES[Stage.OVER])


def _hint(link: OwnerLink) -> str:
    ending = link.ending_event()
    hint = HINTS.get(Reason(ending.reason)) if ending else None
    return gettext(hint) if hint else ""


def _stage_before_use(status: ConnectionStatus) -> Stage:
    if status.state == State.CONNECTED:
        return Stage.CONNECTED
    resting = status.inactive or status.connection.banned_until is not None
    return Stage.RESTING if resting else Stage.READY


def _stage_in_use(status: ConnectionStatus) -> Stage:
    if status.inactive or status.connection.banned_until is not None:
        return Stage.RESTING
    if status.state not in PAIRING:
        return Stage.WAIT
    if status.phone_code:
        return Stage.TYPED
    return Stage.QR if status.code else Stage.WAIT
