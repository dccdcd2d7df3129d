"""A connection as JSON: for API clients, with the old service's fields, and for the live page."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _
from rest_framework import serializers

from connections import owner_link_texts, qr, self_test_texts
from connections.code_lifetimes import qr_code_seconds, seconds_to_the_last
from connections.detail_messages import NO_PHONE_CODE
from connections.display import Panel, display_of, panel_name
from connections.history import timeline
from connections.lifecycle import PAIRING, Reason, State
from connections.models import Method, PairingAttempt
from connections.status import (
    ConnectionStatus,
    refused_since,
)
from organizations.api.serializers import NUMBER_HELP, PhoneNumberField
from organizations.phone_numbers import format_phone_number, spellings

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


def status_response(status: ConnectionStatus) -> dict[str, Any]:
    """Return the body of `GET status`: the old service's fields, then our own."""
    connection, silence = status.connection, status.phone_silence
    old = display_of(status).api_status
    return {
        "success": True,
        "authType": "baileys",
        "connectionStatus": old,
        "isConnected": old == "connected",
        "isDisconnected": old == "disconnected",
        "hasQRCode": bool(status.code),
        "canReconnect": status.can_reconnect,
        "state": status.state,
        "desired": connection.desired,
        "reason": status.reason,
        "detail": connection.translated_detail,
        "sentence": status.reason_text.sentence,
        "nextStep": status.next_step,
        "number": connection.number or None,
        "since": connection.since.isoformat(),
        "retryAt": connection.retry_at.isoformat() if connection.retry_at else None,
        "phoneLastSeenAt": _iso(connection.phone_seen_at),
        "phoneSentence": silence.sentence if silence else None,
        "phoneSilence": silence.level if silence else None,
    }


# With a code that may not have reached the phone; without one that WhatsApp did not issue.
NO_MESSAGE = _("No message on the phone? WhatsApp may know this number as {number}.")
KNOWN_AS = _("WhatsApp may know this number as {number}.")
# Keeps a number on one line within a sentence.
UNBROKEN = str.maketrans(" -", "\u00a0\u2011")


def panel_of(status: ConnectionStatus, may_operate: bool) -> Panel:
    """Return the live page's panel for this person."""
    panel = display_of(status).panel
    if panel in (Panel.OFFLINE, Panel.FULL):
        return panel
    if status.connection.disconnecting:
        return Panel.DISCONNECTING
    if panel == Panel.CODE:
        if not may_operate:
            return Panel.HIDDEN
        if status.phone_code:
            return Panel.PHONE_CODE
        return Panel.CODE if status.code else Panel.PREPARING
    if panel == Panel.PREPARING and not status.is_pairing:
        return Panel.RESUMING
    return panel


def snapshot(
    status: ConnectionStatus,
    may_operate: bool,
    administrator: bool = False,
    *,
    with_history: bool = True,
) -> dict[str, Any]:
    """Return everything that the live page shows, ready for JSON.

    Viewers get no code: it gives access to the organization's WhatsApp. `administrator`: the reader
    can change the server, and is told what to look at there. `with_history`: the other tabs of an
    organization show its state alone.
    """
    connection = status.connection
    panel = panel_of(status, may_operate)
    refused = refused_since()
    linkable = may_operate or status.is_pairing
    newest_link = owner_link_texts.newest_link(status) if linkable else None
    return {
        "type": "snapshot",
        "now": timezone.now().isoformat(),
        "today": timezone.localdate().isoformat(),
        "panel": panel,
        "panelName": panel_name(status, panel),
        "state": status.state,
        "reason": status.reason,
        "sentence": status.reason_text.sentence,
        "nextStep": status.next_step_for(administrator),
        **_phone(status),
        "detail": "" if status.overridden else connection.translated_detail,
        "step": status.reason_text.step,
        "number": connection.number,
        "numberText": format_phone_number(connection.number),
        "expectedText": _expected_text(status),
        "savedLogin": bool(connection.store_name),
        "since": status.since.isoformat(),
        "retryAt": connection.retry_at.isoformat() if connection.retry_at else None,
        "refusedSince": refused.isoformat() if refused else None,
        "method": connection.requested_method if status.state in PAIRING else None,
        "mayOperate": may_operate,
        **{name: may_operate and allowed for name, allowed in _allowed(status).items()},
        "pairing": _pairing(status) if may_operate else None,
        "phoneCode": _phone_code(status) if may_operate else None,
        "otherSpelling": _other_spelling(status) if may_operate else None,
        "ownerLink": owner_link_texts.as_json(newest_link, status) if may_operate else None,
        "ownerLinking": owner_link_texts.linking_now(newest_link, status),
        "selfTest": self_test_texts.newest_as_json(connection),
        **(timeline.history_as_json(status) if with_history else {}),
    }


def _phone(status: ConnectionStatus) -> dict[str, Any]:
    """Return when the phone was heard from, and the warning of its silence, "" for none."""
    silence = status.phone_silence
    if silence is None:
        return {"phoneText": "", "phoneWarning": ""}
    if not silence.warns:
        return {"phoneText": silence.sentence, "phoneWarning": ""}
    return {"phoneText": "", "phoneWarning": silence.sentence}


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _allowed(status: ConnectionStatus) -> dict[str, bool]:
    """Return which requests make sense now, for an operator."""
    connection = status.connection
    pairing = status.is_pairing
    requestable = status.can_reconnect and not connection.disconnecting
    # With a saved login only while that does not work.
    new_code = requestable and bool(connection.store_name) and status.state == State.RECONNECTING
    switchable = requestable and (not connection.store_name or pairing or new_code)
    finishing = status.reason == Reason.FINISHING
    by_phone = connection.requested_method == Method.PHONE
    busy = status.state in PAIRING or connection.disconnecting
    # A first pairing is cancelled: nothing is linked that could be disconnected.
    something = status.has_client or connection.logout_pending or bool(connection.number)
    disconnectable = something and (bool(connection.store_name) or not pairing)
    return {
        "canCancel": pairing and not finishing,
        "canGetNewCode": new_code,
        "canKeepLogin": pairing and bool(connection.store_name) and not finishing,
        "canReconnect": status.can_reconnect and not busy,
        "canDisconnect": disconnectable and not connection.disconnecting,
        "canLinkByPhone": switchable and not finishing and not (pairing and by_phone),
        "canSelfTest": status.state == State.CONNECTED and not connection.disconnecting,
        "canShowQr": switchable and not finishing and pairing and by_phone,
    }


def _expected_text(status: ConnectionStatus) -> str:
    """Return the only number that may be linked next; "" if any may, or a login is being used."""
    if status.state in (State.CONNECTED, State.RECONNECTING):
        return ""
    return format_phone_number(status.connection.organization.expected_number)


def _pairing(status: ConnectionStatus) -> dict[str, Any] | None:
    attempt = status.attempt
    if attempt is None or not status.code:
        return None
    return {
        "attempt": attempt.pk,
        "qr": qr.svg_url(status.code),
        "codeNumber": attempt.code_number,
        "codeCount": attempt.code_count,
        "secondsLeft": _seconds_left(attempt),
        "secondsInAll": qr_code_seconds(attempt.code_number, attempt.code_count),
    }


def _phone_code(status: ConnectionStatus) -> dict[str, Any] | None:
    attempt = status.attempt
    if attempt is None or not status.phone_code:
        return None
    return {
        "attempt": attempt.pk,
        "code": status.phone_code,
        "numberText": format_phone_number(attempt.phone_number),
        "secondsLeft": _seconds_left(attempt),
        "secondsInAll": seconds_to_the_last(1, attempt.code_count),
    }


def _other_spelling(status: ConnectionStatus) -> dict[str, str] | None:
    """Return the number to try when the code for the requested one does not reach the phone."""
    connection = status.connection
    by_phone = connection.requested_method == Method.PHONE
    others = spellings(connection.requested_number) if by_phone else ()
    if not others or not status.can_reconnect:
        return None
    if status.phone_code or status.reason == Reason.CODES_EXPIRED:
        sentence = gettext(NO_MESSAGE)
    elif status.reason == Reason.PAIRING_REFUSED and connection.detail == NO_PHONE_CODE:
        sentence = gettext(KNOWN_AS)
    else:
        return None
    text = format_phone_number(others[0])
    return {"number": text, "sentence": sentence.format(number=text.translate(UNBROKEN))}


def _seconds_left(attempt: PairingAttempt) -> float:
    if attempt.code_expires_at is None:
        return 0.0
    return (attempt.code_expires_at - timezone.now()).total_seconds()
