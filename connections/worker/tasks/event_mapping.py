"""Maps the events of a client to the failures that end it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from http import HTTPStatus

from django.utils import timezone

from connections.actions import GONE_AT_WHATSAPP
from connections.lifecycle import AnyObservation, Reason
from connections.worker.hosts.client import Event
from connections.worker.tasks.proxy_errors import SILENT, proxy_failure

INVALID_CREDENTIALS = GONE_AT_WHATSAPP | {Reason.CREDENTIALS_DAMAGED}
"""After these the saved credentials are invalid; a request to reconnect leads to a code."""

# WhatsApp's bans last days at most; a longer value is taken for an error.
MAX_BAN = timedelta(days=60)
# WhatsApp need not say how long one lasts, and each login makes it longer.
UNSAID_BAN = timedelta(minutes=1)

# The error of a refusing proxy holds the reason phrase of its answer alone.
PHRASES = {status.phrase: str(int(status)) for status in HTTPStatus}
PROXY_REFUSAL = re.compile(r'failed to send handshake request: Get "[^"]*": ([^":]*)$')
MAX_PHRASE_LENGTH = 60
# whatsmeow's errors, as operators should read them.
_HTTP_STATUS = re.compile(r"status code 101 but got (\d{3})")
DIAL_ERRORS = (
    # First, as the rest of such an error is about the proxy, not about WhatsApp.
    (re.compile(r"proxyconnect"), "the proxy cannot be reached"),
    (_HTTP_STATUS, r"it answered with HTTP status \1"),
    (re.compile(r"waiting for handshake|i/o timeout|deadline exceeded"), "it did not answer"),
    (re.compile(r"no such host|server misbehaving"), "its name cannot be looked up (DNS)"),
    (re.compile(r"x509|certificate"), "its certificate is not trusted"),
    (re.compile(r"connection refused"), "the connection was refused"),
    (re.compile(r"network is unreachable|no route to host"), "there is no route to it"),
    (re.compile(r"EOF|reset by peer|broken pipe"), "the connection was cut"),
)

LOGOUT_REASONS = {
    "MAIN_DEVICE_GONE": Reason.ACCOUNT_LOCKED,
    "UNKNOWN_LOGOUT": Reason.BANNED,
}


class Retryable(Exception):
    """The client ended; a new one may succeed."""

    def __init__(
        self,
        observation: AnyObservation = Reason.LINK_LOST,
        detail: str = "",
        until: datetime | None = None,
    ) -> None:
        super().__init__(observation)
        self.observation = observation
        self.detail = detail
        self.until = until  # no retry before


class StoreDatabaseUnavailable(Retryable):
    """The database of the stores does not answer."""


class WhatsAppUnavailable(Retryable):
    """WhatsApp answers 500 or 503, which may affect all organizations."""


class Permanent(Exception):
    """The client ended; only a person can help."""

    def __init__(self, observation: AnyObservation, detail: str = "") -> None:
        super().__init__(observation)
        self.observation = observation
        self.detail = detail


def failure_of(event: Event, proxied: bool = False) -> Retryable | Permanent | None:
    """Return the failure with which an event ends a client, None if it does not end it.

    `proxied`: it uses its organization's own proxy.
    """
    kind = event["event"]
    if kind == "logged_out":
        if not event["while_offline"]:
            return Permanent(Reason.LOGGED_OUT_BY_PHONE)
        return Permanent(LOGOUT_REASONS.get(event["reason"], Reason.FORGOTTEN))
    if kind == "banned":
        said = timedelta(seconds=event["seconds"])
        lifetime = min(said, MAX_BAN) if said > timedelta(0) else UNSAID_BAN
        until = timezone.now() + lifetime
        return Retryable(
            Reason.TEMPORARILY_BANNED, f"until {until:%Y-%m-%d %H:%M} UTC", until=until
        )
    if kind == "replaced":
        return Permanent(Reason.TAKEN_OVER)
    if kind == "outdated":
        return Retryable(Reason.CLIENT_OUTDATED)
    if kind == "failed":
        reason = event["reason"].lower()
        if reason.isdigit():
            return WhatsAppUnavailable(Reason.LOGIN_REFUSED, f"it answered with status {reason}")
        return Retryable(Reason.LOGIN_REFUSED, f"it said: {reason}")
    if kind == "host_gone":
        return Retryable(Reason.HOST_CRASHED, event["error"])
    if kind == "ended":
        return _failure_of_end(event, proxied)
    return None


def dial_failure(error: str, proxied: bool) -> Retryable:
    """Return the failure of a dial, by the library's error."""
    if proxied and (found := proxy_failure(error)):
        return Retryable(*found)
    # With another status than that of a WebSocket, WhatsApp itself answers, and with an error.
    reason = Reason.UNAVAILABLE if _HTTP_STATUS.search(error) else Reason.UNREACHABLE
    return Retryable(reason, describe_dial_error(error))


def silent_dial(proxied: bool) -> Retryable:
    """Return the failure of a dial that nothing has answered."""
    return Retryable(Reason.PROXY_UNREACHABLE if proxied else Reason.UNREACHABLE, SILENT)


def describe_dial_error(error: str) -> str:
    """Return a description of the library's connection error, "" for an unknown one."""
    for pattern, description in DIAL_ERRORS:
        if found := pattern.search(error):
            return found.expand(description)
    if found := PROXY_REFUSAL.search(error):
        phrase = found[1].strip()
        if status := PHRASES.get(phrase):
            return f"the proxy answered with HTTP status {status}"
        # A proxy may answer anything: remove what could be an address or a password.
        cleaned = re.sub(r"[^A-Za-z0-9 .,()'-]", "", phrase)[:MAX_PHRASE_LENGTH]
        return f"the proxy refused: {cleaned}"
    return ""


def _failure_of_end(event: Event, proxied: bool) -> Retryable | Permanent:
    """Return the failure of a client that could not start, or ended unasked."""
    if event["cause"] == "answer":
        return Retryable(Reason.LOGIN_REFUSED, "for a reason that is not known")
    if event["cause"] == "damaged":
        return Permanent(Reason.CREDENTIALS_DAMAGED)
    if event["cause"] == "unavailable":
        return StoreDatabaseUnavailable(Reason.STORE_UNUSABLE, "its database does not answer")
    if event["cause"] == "store":
        return Retryable(Reason.STORE_UNUSABLE)
    if event["cause"] == "dial":
        return dial_failure(event["error"], proxied)
    return Retryable(Reason.LINK_LOST)
