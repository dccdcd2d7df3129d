"""What the page behind a link for the phone's owner shows."""

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
    Stage.QR: _("Scan the code with the phone, or link with its number."),
    Stage.TYPED: _("Type this code in WhatsApp."),
    Stage.DONE: _("Done. WhatsApp is connected."),
    Stage.OVER: _("The phone could not be linked."),
}
FINISHING = _("The phone took the code. One moment more.")
NOT_IN_TIME = _("The code was not used in time.")


def screen(link: OwnerLink) -> dict[str, Any]:
    """What the owner's page shows, whole, ready for JSON."""
    observed = read_status(link.connection_id)
    stage, sentence = _stage(link, observed)
    attempt = observed.attempt
    told: dict[str, Any] = {
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
        **_possible(stage, observed),
    }
    if attempt is None or attempt.code_expires_at is None or stage not in (Stage.QR, Stage.TYPED):
        return told
    told["attempt"] = attempt.pk
    told["secondsLeft"] = (attempt.code_expires_at - timezone.now()).total_seconds()
    if stage == Stage.TYPED:
        in_all = seconds_to_the_last(1, attempt.code_count)
        return told | {"code": observed.phone_code, "secondsInAll": in_all}
    return told | {
        "qr": qr.svg_url(observed.code),
        "codeNumber": attempt.code_number,
        "codeCount": attempt.code_count,
        "secondsInAll": qr_code_seconds(attempt.code_number, attempt.code_count),
    }


def _possible(stage: Stage, observed: ConnectionStatus) -> dict[str, bool]:
    """Whether the other kind of code can be asked for."""
    connection = observed.connection
    waiting = stage in (Stage.WAIT, Stage.QR, Stage.TYPED) and observed.pairs
    switchable = waiting and observed.reason != Reason.FINISHING
    by_phone = connection.requested_method == Method.PHONE
    other = stage == Stage.TYPED and bool(spellings(connection.requested_number))
    return {
        "canType": switchable,
        "canScan": switchable and by_phone,
        "canTryOtherSpelling": switchable and by_phone and other,
    }


def _stage(link: OwnerLink, observed: ConnectionStatus) -> tuple[Stage, str]:
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


def _before(observed: ConnectionStatus) -> Stage:
    if observed.state == State.CONNECTED:
        return Stage.CONNECTED
    resting = observed.inactive or observed.connection.banned_until is not None
    return Stage.RESTING if resting else Stage.READY


def _going_on(observed: ConnectionStatus) -> Stage:
    if observed.inactive or observed.connection.banned_until is not None:
        return Stage.RESTING
    if observed.state not in PAIRING:
        return Stage.WAIT
    if observed.phone_code:
        return Stage.TYPED
    return Stage.QR if observed.code else Stage.WAIT
