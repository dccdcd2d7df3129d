"""Maps the Go library's error texts to causes: it has no codes for them."""

import re

CAUSES = {
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
    return next(cause for cause, pattern in CAUSES.items() if pattern.search(error))


SEND_ERRORS = {
    "timed out": re.compile(r"timed out|deadline exceeded"),
    "lost": re.compile(r"socket|closed|EOF|reset by peer|broken pipe|device JID|client is nil"),
    "refused": re.compile(r""),
}
"""Why a message was not sent, by patterns of whatsmeow's errors, which may hold numbers."""


def send_error(error: str) -> str:
    """Return the key of SEND_ERRORS for an error of the library."""
    return next(cause for cause, pattern in SEND_ERRORS.items() if pattern.search(error))
