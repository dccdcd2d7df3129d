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


def screen(link: OwnerLink) -> dict[str, Any]:
    """Return the content of the owner's page, ready for JSON."""
    status = read_status(link.connection_id)
    stage, sentence = _stage(link, status)
    attempt = status.attempt
    content: dict[str, Any] = {
        "type": "screen",
        "stage": str(stage),
        "sentence": gettext(sentence),
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
        "canType": switchable,
        "canScan": switchable and by_phone,
        "canTryOtherSpelling": switchable and by_phone and has_other_spelling,
    }


def _stage(link: OwnerLink, status: ConnectionStatus) -> tuple[Stage, str]:
    state = link.state
    if state == LinkState.LINKED:
        return Stage.DONE, STAGES[Stage.DONE]
    if state == LinkState.FAILED:
        end = link.ending_event()
        expired = end is None or end.reason == Reason.CODES_EXPIRED
        return Stage.OVER, NOT_IN_TIME if expired else STAGES[Stage.OVER]
    stage = _stage_in_use(status) if state == LinkState.IN_USE else _stage_before_use(status)
    if stage == Stage.WAIT and status.reason == Reason.FINISHING:
        return stage, FINISHING
    return stage, STAGES[stage]


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
