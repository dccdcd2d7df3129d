"""How a connection is told: to API clients in the old service's words and in ours, to the page."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _
from rest_framework import serializers

from connections import qr
from connections.lifecycle import PAIRING, Desired, Reason, State
from connections.models import Connection, ConnectionEvent, PairingAttempt, Worker
from connections.words import WORDS, Words
from organizations.phone_numbers import digits, formatted

HISTORY_LINES = 20


class PhoneNumberSerializer(serializers.Serializer[dict[str, str]]):
    """The body of `POST pairing-code`. Its `phoneNumber` is E.164; validated, it is the digits."""

    phoneNumber = serializers.CharField(max_length=32)

    def validate_phoneNumber(self, value: str) -> str:
        try:
            return digits(value)
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from error


@dataclass(frozen=True)
class Observed:
    """A connection as a reader should see it now: the row, and whether anyone looks after it."""

    connection: Connection
    attempt: PairingAttempt | None
    looked_after: bool
    any_worker: bool

    @property
    def inactive(self) -> bool:
        """The organization is deactivated: whatever ran is being stopped."""
        return not self.connection.organization.is_active

    @property
    def orphaned(self) -> bool:
        """No worker has it, so what the row says of a running link is not true any more."""
        connection = self.connection
        at_rest = connection.desired == Desired.DISCONNECTED and not connection.logout_wanted
        down = connection.state == State.ACTION_NEEDED
        return not self.looked_after and not at_rest and not down

    @property
    def state(self) -> State:
        if self.inactive:
            return State.DISCONNECTED
        stored = State(self.connection.state)
        if self.orphaned and stored != State.DISCONNECTED:
            return State.CONNECTING if stored in PAIRING else State.RECONNECTING
        return stored

    @property
    def reason(self) -> Reason:
        if self.inactive:
            return Reason.ORGANIZATION_INACTIVE
        if not self.orphaned:
            return Reason(self.connection.reason)
        return Reason.SERVICE_RESTARTED if self.any_worker else Reason.WORKER_OFFLINE

    @property
    def words(self) -> Words:
        return WORDS[self.reason]

    @property
    def code(self) -> str:
        """What the QR code says, if one can be scanned right now."""
        return self.attempt.code if self.attempt and self._code_is_good else ""

    @property
    def phone_code(self) -> str:
        """What can be typed on the phone right now: eight characters and a dash, or ""."""
        return self.attempt.phone_code if self.attempt and self._code_is_good else ""

    @property
    def _code_is_good(self) -> bool:
        attempt = self.attempt
        if attempt is None or attempt.code_expires_at is None or self.orphaned or self.inactive:
            return False
        return attempt.code_expires_at > timezone.now()

    @property
    def may_reconnect(self) -> bool:
        """Whether a request to reconnect would be taken."""
        if self.inactive or self.connection.banned_until is not None:
            return False
        return self.state != State.CONNECTED

    @property
    def has_client(self) -> bool:
        """Whether something is under way or up, as the old service's clients mean it."""
        return self.state in (*PAIRING, State.CONNECTED, State.RECONNECTING)


def observe(connection_id: int) -> Observed:
    """Read a connection afresh."""
    connection = Connection.objects.select_related("organization", "worker").get(pk=connection_id)
    looked_after = connection.looked_after
    any_worker = looked_after or Worker.any_alive()
    return Observed(connection, connection.open_attempt(), looked_after, any_worker)


def listed(connection: Connection, any_worker: bool) -> Observed:
    """One row of many, read with its worker and its organization; no code, no query of its own."""
    return Observed(connection, None, connection.is_looked_after(lambda: any_worker), any_worker)


# The old service knew three words.
OLD_STATUS = {
    State.CONNECTED: "connected",
    State.CONNECTING: "connecting",
    State.AWAITING_SCAN: "connecting",
    State.RECONNECTING: "connecting",
    State.DISCONNECTED: "disconnected",
    State.ACTION_NEEDED: "disconnected",
}


# It comes back by itself, but not soon: for the old service's clients that is no "connecting".
HELD = (Reason.TEMPORARILY_BANNED, Reason.CLIENT_OUTDATED, Reason.STORE_UNUSABLE)


def status(observed: Observed) -> dict[str, Any]:
    """The answer of `GET status`: the old service's fields, then what clients want beside them."""
    connection = observed.connection
    held = observed.reason in HELD
    old = "disconnected" if held else OLD_STATUS[observed.state]
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
        "detail": connection.detail_told,
        "sentence": observed.words.sentence,
        "nextStep": observed.words.next_step,
        "number": connection.number or None,
        "since": connection.since.isoformat(),
        "retryAt": connection.retry_at.isoformat() if connection.retry_at else None,
    }


class Panel(StrEnum):
    """What the live page shows large. The value is also its name in the page's CSS."""

    DISCONNECTED = "disconnected"
    RESUMING = "resuming"
    PREPARING = "preparing"
    CODE = "code"
    HIDDEN = "hidden"  # a code is waiting, and this person may not see it
    FINISHING = "finishing"
    CONNECTED = "connected"
    RECONNECTING = "reconnecting"
    RETRYING = "retrying"  # WhatsApp cannot be reached, so there is no code yet
    DISCONNECTING = "disconnecting"
    ACTION_NEEDED = "action_needed"
    OFFLINE = "offline"


PANEL_NAMES = {
    Panel.DISCONNECTED: _("Disconnected"),
    Panel.RESUMING: _("Connecting"),
    Panel.PREPARING: _("Preparing the code"),
    Panel.CODE: _("Waiting for the scan"),
    Panel.HIDDEN: _("Waiting for the scan"),
    Panel.FINISHING: _("Finishing"),
    Panel.CONNECTED: _("Connected"),
    Panel.RECONNECTING: _("Reconnecting"),
    Panel.RETRYING: _("Trying again"),
    Panel.DISCONNECTING: _("Disconnecting"),
    Panel.ACTION_NEEDED: _("Action needed"),
    Panel.OFFLINE: _("Service offline"),
}


def panel_of(observed: Observed, may_operate: bool) -> Panel:
    """Which panel tells this person what is."""
    if observed.reason == Reason.WORKER_OFFLINE:
        return Panel.OFFLINE
    if observed.connection.disconnecting:
        return Panel.DISCONNECTING
    if observed.state == State.AWAITING_SCAN:
        if not may_operate:
            return Panel.HIDDEN
        return Panel.CODE if observed.code else Panel.PREPARING
    if observed.state == State.CONNECTING:
        if observed.reason == Reason.FINISHING:
            return Panel.FINISHING
        if observed.reason == Reason.UNREACHABLE:
            return Panel.RETRYING
        return Panel.RESUMING if observed.connection.store else Panel.PREPARING
    return Panel(observed.state)


def snapshot(observed: Observed, may_operate: bool) -> dict[str, Any]:
    """What the live page shows, whole. The page asks for nothing else and adds nothing up.

    Who may only look gets no QR code: whoever scans it holds the organization's WhatsApp.
    """
    connection = observed.connection
    busy = observed.state in PAIRING or connection.disconnecting
    panel = panel_of(observed, may_operate)
    return {
        "type": "snapshot",
        "now": timezone.now().isoformat(),
        "panel": panel,
        "panelName": gettext(PANEL_NAMES[panel]),
        "state": observed.state,
        "reason": observed.reason,
        "sentence": observed.words.sentence,
        "nextStep": observed.words.next_step,
        "detail": connection.detail_told,
        "step": observed.words.step,
        "number": connection.number,
        "numberText": formatted(connection.number),
        "since": connection.since.isoformat(),
        "retryAt": connection.retry_at.isoformat() if connection.retry_at else None,
        "mayOperate": may_operate,
        "canReconnect": may_operate and observed.may_reconnect and not busy,
        "canDisconnect": may_operate
        and not connection.disconnecting
        and (observed.has_client or connection.logout_wanted or bool(connection.number)),
        "pairing": _pairing(observed) if may_operate else None,
        "history": [_line(event) for event in connection.events.all()[:HISTORY_LINES]],
    }


def _pairing(observed: Observed) -> dict[str, Any] | None:
    attempt = observed.attempt
    if attempt is None or not observed.code or attempt.code_expires_at is None:
        return None
    return {
        "attempt": attempt.pk,
        "qr": qr.svg_url(observed.code),
        "codeNumber": attempt.code_number,
        "codeCount": attempt.code_count,
        "secondsLeft": (attempt.code_expires_at - timezone.now()).total_seconds(),
        "secondsInAll": 60 if attempt.code_number == 1 else 20,
    }


def _line(event: ConnectionEvent) -> dict[str, Any]:
    return {
        "id": event.pk,
        "at": event.at.isoformat(),
        "state": event.state,
        "sentence": event.sentence,
        "detail": event.detail_told,
        "actor": event.actor,
    }
