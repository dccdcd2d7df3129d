"""How a connection is told: to API clients in the old service's words and in ours, to the page."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _
from rest_framework import serializers

from connections import qr, self_tests
from connections.code_lifetimes import qr_code_seconds, seconds_to_the_last
from connections.detail_messages import NO_PHONE_CODE
from connections.display import PANEL_NAMES, Panel, display_of
from connections.history import timeline
from connections.lifecycle import PAIRING, Reason, State
from connections.models import Method, PairingAttempt
from connections.status import (
    ConnectionStatus,
    get_status,
    read_status,
    refused_since,
    status_of_row,
)
from organizations.api.serializers import NUMBER_HELP, PhoneNumberField
from organizations.phone_numbers import format_phone_number, spellings

__all__ = [
    "ConnectionStatus",
    "PhoneNumberSerializer",
    "ReconnectBodySerializer",
    "status_of_row",
    "get_status",
    "read_status",
    "panel_of",
    "refused_since",
    "snapshot",
    "status",
]

FRESH_CODE_HELP = (
    "Show a code even if there is a saved login. The saved login is kept until a phone is linked."
)


class ReconnectBodySerializer(serializers.Serializer[dict[str, Any]]):
    """The body of `POST reconnect`, which may be left out."""

    freshCode = serializers.BooleanField(default=False, help_text=FRESH_CODE_HELP)


class PhoneNumberSerializer(ReconnectBodySerializer):
    """The body of `POST pairing-code`."""

    phoneNumber = PhoneNumberField(
        help_text=f"The code is asked for in the spelling that you give. {NUMBER_HELP}"
    )


def status(observed: ConnectionStatus) -> dict[str, Any]:
    """The answer of `GET status`: the old service's fields, then what clients want beside them."""
    connection = observed.connection
    old = display_of(observed).api_status
    return {
        "success": True,
        "authType": "baileys",
        "connectionStatus": old,
        "isConnected": old == "connected",
        "isDisconnected": old == "disconnected",
        "hasQRCode": bool(observed.code),
        "canReconnect": observed.may_reconnect,
        "state": observed.state,
        "desired": connection.desired,
        "reason": observed.reason,
        "detail": connection.translated_detail,
        "sentence": observed.reason_text.sentence,
        "nextStep": observed.reason_text.next_step,
        "number": connection.number or None,
        "since": connection.since.isoformat(),
        "retryAt": connection.retry_at.isoformat() if connection.retry_at else None,
    }


# Beside a code that may not have reached the phone; after WhatsApp has issued none.
NO_MESSAGE = _("No message on the phone? WhatsApp may know this number as {number}.")
KNOWN_AS = _("WhatsApp may know this number as {number}.")
# A number within a sentence stays on one line.
UNBROKEN = str.maketrans(" -", "\u00a0\u2011")


def panel_of(observed: ConnectionStatus, may_operate: bool) -> Panel:
    """Return the panel that tells this person what is."""
    panel = display_of(observed).panel
    if panel in (Panel.OFFLINE, Panel.FULL):
        return panel
    if observed.connection.disconnecting:
        return Panel.DISCONNECTING
    if panel == Panel.CODE:
        if not may_operate:
            return Panel.HIDDEN
        if observed.phone_code:
            return Panel.PHONE_CODE
        return Panel.CODE if observed.code else Panel.PREPARING
    if panel == Panel.PREPARING and not observed.pairs:
        return Panel.RESUMING
    return panel


def snapshot(observed: ConnectionStatus, may_operate: bool) -> dict[str, Any]:
    """What the live page shows, whole. The page asks for nothing else and adds nothing up.

    Who may only look gets no code: whoever scans or types it holds the organization's WhatsApp.
    """
    connection = observed.connection
    panel = panel_of(observed, may_operate)
    refused = refused_since()
    return {
        "type": "snapshot",
        "now": timezone.now().isoformat(),
        "panel": panel,
        "panelName": gettext(PANEL_NAMES[panel]),
        "state": observed.state,
        "reason": observed.reason,
        "sentence": observed.reason_text.sentence,
        "nextStep": observed.reason_text.next_step,
        "detail": "" if observed.overridden else connection.translated_detail,
        "step": observed.reason_text.step,
        "number": connection.number,
        "numberText": format_phone_number(connection.number),
        "since": observed.since.isoformat(),
        "retryAt": connection.retry_at.isoformat() if connection.retry_at else None,
        "refusedSince": refused.isoformat() if refused else None,
        "method": connection.requested_method if observed.state in PAIRING else None,
        "mayOperate": may_operate,
        **{name: may_operate and allowed for name, allowed in _possible(observed).items()},
        "pairing": _pairing(observed) if may_operate else None,
        "phoneCode": _phone_code(observed) if may_operate else None,
        "otherSpelling": _other_spelling(observed) if may_operate else None,
        "selfTest": self_tests.told(connection),
        **timeline.told(observed),
    }


def _possible(observed: ConnectionStatus) -> dict[str, bool]:
    """What makes sense now, for someone who may operate."""
    connection = observed.connection
    pairing = observed.pairs
    requestable = observed.may_reconnect and not connection.disconnecting
    # Beside a saved login only where it is of no use at the moment.
    new_code = requestable and bool(connection.store_name) and observed.state == State.RECONNECTING
    switchable = requestable and (not connection.store_name or pairing or new_code)
    finishing = observed.reason == Reason.FINISHING
    by_phone = connection.requested_method == Method.PHONE
    busy = observed.state in PAIRING or connection.disconnecting
    return {
        "canGetNewCode": new_code,
        "canKeepLogin": pairing and bool(connection.store_name) and not finishing,
        "canReconnect": observed.may_reconnect and not busy,
        "canDisconnect": not connection.disconnecting
        and (observed.has_client or connection.logout_pending or bool(connection.number)),
        "canLinkByPhone": switchable and not finishing and not (pairing and by_phone),
        "canSelfTest": observed.state == State.CONNECTED and not connection.disconnecting,
        "canShowQr": switchable and not finishing and pairing and by_phone,
    }


def _pairing(observed: ConnectionStatus) -> dict[str, Any] | None:
    attempt = observed.attempt
    if attempt is None or not observed.code:
        return None
    return {
        "attempt": attempt.pk,
        "qr": qr.svg_url(observed.code),
        "codeNumber": attempt.code_number,
        "codeCount": attempt.code_count,
        "secondsLeft": _seconds_left(attempt),
        "secondsInAll": qr_code_seconds(attempt.code_number, attempt.code_count),
    }


def _phone_code(observed: ConnectionStatus) -> dict[str, Any] | None:
    attempt = observed.attempt
    if attempt is None or not observed.phone_code:
        return None
    return {
        "attempt": attempt.pk,
        "code": observed.phone_code,
        "numberText": format_phone_number(attempt.phone_number),
        "secondsLeft": _seconds_left(attempt),
        "secondsInAll": seconds_to_the_last(1, attempt.code_count),
    }


def _other_spelling(observed: ConnectionStatus) -> dict[str, str] | None:
    """Return the number to try when the code for the requested one does not reach the phone."""
    connection = observed.connection
    by_phone = connection.requested_method == Method.PHONE
    others = spellings(connection.requested_number) if by_phone else ()
    if not others or not observed.may_reconnect:
        return None
    if observed.phone_code or observed.reason == Reason.CODES_EXPIRED:
        sentence = gettext(NO_MESSAGE)
    elif observed.reason == Reason.PAIRING_REFUSED and connection.detail == NO_PHONE_CODE:
        sentence = gettext(KNOWN_AS)
    else:
        return None
    text = format_phone_number(others[0])
    return {"number": text, "sentence": sentence.format(number=text.translate(UNBROKEN))}


def _seconds_left(attempt: PairingAttempt) -> float:
    if attempt.code_expires_at is None:
        return 0.0
    return (attempt.code_expires_at - timezone.now()).total_seconds()
