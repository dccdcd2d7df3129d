"""What the events of a client mean, and how the holding of one can end."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from http import HTTPStatus

from django.utils import timezone

from connections.actions import GONE_AT_WHATSAPP
from connections.lifecycle import AnyObservation, Reason
from connections.worker.hosts.client import Event

USELESS = GONE_AT_WHATSAPP | {Reason.CREDENTIALS_DAMAGED}
"""After these the saved credentials help no more; who has pressed Reconnect gets a code instead."""

# WhatsApp's own longest ban is a matter of days; beyond, its answer is not believed.
LONGEST_BAN = timedelta(days=60)

# A proxy that refuses is shown by the reason phrase of its answer alone.
PHRASES = {status.phrase: str(int(status)) for status in HTTPStatus}
PROXY_REFUSAL = re.compile(r'failed to send handshake request: Get "[^"]*": ([^":]*)$')
PHRASE_LENGTH = 60
# What whatsmeow's errors mean to whoever has to look at the server.
DIAL_WORDS = (
    # Before all others: what follows says what is wrong with the proxy, not with WhatsApp.
    (re.compile(r"proxyconnect"), "the proxy cannot be reached"),
    (re.compile(r"status code 101 but got (\d{3})"), r"it answered with HTTP status \1"),
    (re.compile(r"waiting for handshake|i/o timeout|deadline exceeded"), "it did not answer"),
    (re.compile(r"no such host|server misbehaving"), "its name cannot be looked up (DNS)"),
    (re.compile(r"x509|certificate"), "its certificate is not trusted"),
    (re.compile(r"connection refused"), "the connection was refused"),
    (re.compile(r"network is unreachable|no route to host"), "there is no route to it"),
    (re.compile(r"EOF|reset by peer|broken pipe"), "the connection was cut"),
)

FORGOTTEN_BY_REASON = {
    "MAIN_DEVICE_GONE": Reason.ACCOUNT_LOCKED,
    "UNKNOWN_LOGOUT": Reason.BANNED,
}


class Retryable(Exception):
    """The client is of no use any more; another one may be."""

    def __init__(
        self,
        observation: AnyObservation = Reason.LINK_LOST,
        detail: str = "",
        until: datetime | None = None,
    ) -> None:
        super().__init__(observation)
        self.observation = observation
        self.detail = detail
        self.until = until  # not to be tried before


class StoreAway(Retryable):
    """The database of the credentials does not answer, for as long as that takes."""


class Unavailable(Retryable):
    """WhatsApp says that it is out of order (500, 503), which may concern everybody."""


class Permanent(Exception):
    """Only a person can help."""

    def __init__(self, observation: AnyObservation, detail: str = "") -> None:
        super().__init__(observation)
        self.observation = observation
        self.detail = detail


def ending(event: Event) -> Retryable | Permanent | None:
    """How an event ends the holding of a client, or None when it does not."""
    kind = event["event"]
    if kind == "logged_out":
        if not event["while_offline"]:
            return Permanent(Reason.LOGGED_OUT_BY_PHONE)
        return Permanent(FORGOTTEN_BY_REASON.get(event["reason"], Reason.FORGOTTEN))
    if kind == "banned":
        lasts = min(max(timedelta(seconds=event["seconds"]), timedelta(seconds=1)), LONGEST_BAN)
        until = timezone.now() + lasts
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
            return Unavailable(Reason.LOGIN_REFUSED, f"it answered with status {reason}")
        return Retryable(Reason.LOGIN_REFUSED, f"it said: {reason}")
    if kind == "host_gone":
        return Retryable(Reason.HOST_CRASHED, event["error"])
    if kind == "ended":
        return _never_began(event)
    return None


def dial_words(error: str) -> str:
    """Return what the library's error about a connection means, or "" where nobody knows."""
    for pattern, words in DIAL_WORDS:
        if found := pattern.search(error):
            return found.expand(words)
    if found := PROXY_REFUSAL.search(error):
        phrase = found[1].strip()
        if status := PHRASES.get(phrase):
            return f"the proxy answered with HTTP status {status}"
        # A proxy may say anything; what could be an address or a password is not repeated.
        words = re.sub(r"[^A-Za-z0-9 .,()'-]", "", phrase)[:PHRASE_LENGTH]
        return f"the proxy refused: {words}"
    return ""


def _never_began(event: Event) -> Retryable | Permanent:
    """A client that could not be started, or that ended without having been asked to."""
    if event["cause"] == "answer":
        return Retryable(Reason.LOGIN_REFUSED, "for a reason that is not known")
    if event["cause"] == "damaged":
        return Permanent(Reason.CREDENTIALS_DAMAGED)
    if event["cause"] == "away":
        return StoreAway(Reason.STORE_UNUSABLE, "its database does not answer")
    if event["cause"] == "store":
        return Retryable(Reason.STORE_UNUSABLE)
    if event["cause"] == "dial":
        return Retryable(Reason.UNREACHABLE, dial_words(event["error"]))
    return Retryable(Reason.LINK_LOST)
