"""Maps the Go library's error texts to causes: it has no codes for them."""

from __future__ import annotations

import re
from dataclasses import dataclass

# First, as the rest of such an error may be what a proxy or a stranger has answered.
DIAL = re.compile(r"^failed to dial whatsapp web websocket|^noise handshake failed")
CAUSES = {
    # neonize cannot convert a receipt of a type that it does not know, and ends the client, where
    # receipt_types.py could not prevent that.
    "receipt": re.compile(r"required field neonize\.Receipt"),
    "answer": re.compile(r"required field"),  # neonize cannot decode WhatsApp's answer
    "damaged": re.compile(r"malformed|not a database", re.I),
    # The PostgreSQL of the stores does not answer, by its driver's messages.
    "unavailable": re.compile(
        r"^failed to upgrade database.*(dial tcp|dial unix|lookup|EOF|reset by peer|broken pipe"
        r"|i/o timeout|bad connection|connection refused|deadline exceeded|is starting up"
        r"|shutting down|too many (connections|clients)|remaining connection slots"
        r"|administrator command|recovery mode|server login|query_wait_timeout)"
        r"|^driver: bad connection|^dial tcp|^failed to (query|scan) .*(dial tcp|bad connection)"
    ),
    "store": re.compile(
        r"^pq: |database|sqlite|disk|readonly|no space left|permission denied", re.I
    ),
    "callback": re.compile(r"(?!)"),  # an exception in one of our callbacks
    "dial": re.compile(r"."),
    "stopped": re.compile(r"\Z"),
}
"""Why connecting failed, by patterns of whatsmeow's errors; the first match counts."""


def cause_of(error: str) -> str:
    """Return the key of CAUSES for an error of the library."""
    if DIAL.search(error):
        return "dial"
    return next(cause for cause, pattern in CAUSES.items() if pattern.search(error))


@dataclass(frozen=True)
class SendFailure:
    """Why a message was not sent. `maybe_sent`: WhatsApp may have it all the same."""

    error: str
    maybe_sent: bool = False
    code: int = 0  # WhatsApp's number for "refused"


REFUSED = re.compile(r"^server returned error (\d+)")
SEND_FAILURES = (
    (r"^no LID found for ", SendFailure("not_on_whatsapp")),
    (r"^client is nil", SendFailure("stopped")),
    (r"the store doesn't contain a device JID", SendFailure("not_connected")),
    (r"^timed out waiting for message send response", SendFailure("timed_out", maybe_sent=True)),
    # The frame had left; the library waited for a new connection to send it again.
    (r"^websocket disconnected before message send", SendFailure("lost", maybe_sent=True)),
    (r"^(websocket not connected|frame socket is closed)$", SendFailure("lost", maybe_sent=True)),
    (
        r"(websocket not connected|frame socket is closed|before info query returned response)",
        SendFailure("not_connected"),
    ),
    (r"info query timed out", SendFailure("timed_out")),
    (r"frame too large", SendFailure("failed")),
    # A part of the frame may have left.
    (r"^failed to send message node", SendFailure("lost", maybe_sent=True)),
    (r"^(failed|cipher|can't|message recipient must)", SendFailure("failed")),
)
"""Why a message was not sent, by patterns of whatsmeow's errors; the first match counts."""


def send_failure(error: str) -> SendFailure:
    """Return what an error of the library says about a message; the error may hold numbers."""
    if refused := REFUSED.match(error):
        return SendFailure("refused", code=int(refused[1]))
    for pattern, failure in SEND_FAILURES:
        if re.search(pattern, error):
            return failure
    return SendFailure("failed", maybe_sent=True)


def call_error(error: str) -> str:
    """Return what an error of the library says about another call than a send."""
    failure = send_failure(error).error
    if failure == "lost":
        return "not_connected"
    return failure if failure in ("not_connected", "timed_out", "stopped") else "failed"
