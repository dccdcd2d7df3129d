"""What the Go library's errors mean, by their words: it has no codes for them."""

import re

CAUSES = {
    "answer": re.compile(r"required field"),  # WhatsApp said what neonize has no word for
    "damaged": re.compile(r"malformed|not a database", re.I),
    # The PostgreSQL of the stores, by its driver's words; it comes back by itself.
    "away": re.compile(
        r"^failed to upgrade database.*(dial tcp|dial unix|lookup|EOF|reset by peer|broken pipe"
        r"|i/o timeout|bad connection|connection refused|deadline exceeded|is starting up"
        r"|shutting down|too many (connections|clients)|remaining connection slots"
        r"|administrator command|recovery mode|server login|query_wait_timeout)"
        r"|^driver: bad connection|^dial tcp|^failed to (query|scan) .*(dial tcp|bad connection)"
    ),
    "store": re.compile(
        r"^pq: |database|sqlite|disk|readonly|no space left|permission denied", re.I
    ),
    "callback": re.compile(r"(?!)"),  # an error of ours, in a callback
    "dial": re.compile(r"."),
    "stopped": re.compile(r"\Z"),
}
"""What made connecting fail, by the words of whatsmeow's errors; the first that matches."""


def cause_of(error: str) -> str:
    """Which of CAUSES an error of the library tells of."""
    return next(cause for cause, words in CAUSES.items() if words.search(error))


SEND_ERRORS = {
    "timed out": re.compile(r"timed out|deadline exceeded"),
    "lost": re.compile(r"socket|closed|EOF|reset by peer|broken pipe|device JID|client is nil"),
    "refused": re.compile(r""),
}
"""Why a message was not sent, by the words of whatsmeow's errors; they hold numbers otherwise."""


def send_error(error: str) -> str:
    """Which of SEND_ERRORS an error of the library tells of."""
    return next(cause for cause, words in SEND_ERRORS.items() if words.search(error))
