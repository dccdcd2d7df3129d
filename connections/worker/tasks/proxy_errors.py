"""Tells what a dial through an organization's own proxy has failed at, by the library's errors.

The library has texts only. They name the proxy's address, and hold whatever it has answered, so
nothing of them is passed on but what is known here.
"""

from __future__ import annotations

import re
from http import HTTPStatus

from connections.lifecycle import Reason
from outbound.tunnel import TunnelProblem

REASONS = {
    TunnelProblem.UNREACHABLE: Reason.PROXY_UNREACHABLE,
    TunnelProblem.REFUSED: Reason.PROXY_REFUSED,
    TunnelProblem.UNTRUSTED: Reason.PROXY_UNTRUSTED,
}
PROXY_REASONS = frozenset(REASONS.values())
GIVEN_UP_AT_ONCE = PROXY_REASONS - {Reason.PROXY_UNREACHABLE}
"""A pairing does not wait for these to end: somebody has to change something."""

UNREACHABLE, REFUSED, UNTRUSTED = REASONS.values()
SILENT = "it did not answer"

_STATUSES = {status.phrase: int(status) for status in HTTPStatus}
# The library shows nothing of a proxy's refusal but the phrase of its status.
_PHRASE = re.compile(r'failed to send handshake request: Get "[^"]*": ([^":]*)$')
_AT_PROXY = r"(proxyconnect tcp|socks connect tcp [^ ]+): "
_ERRORS = (
    (r"status code 101 but got", None, ""),  # WhatsApp itself has answered.
    (_AT_PROXY + r".*\b(x509|certificate)", UNTRUSTED, "its certificate is not trusted"),
    (_AT_PROXY + r".*\btls: ", UNTRUSTED, "it is no such proxy"),
    (_AT_PROXY + r".*(i/o timeout|deadline exceeded|handshake timeout)", UNREACHABLE, SILENT),
    (_AT_PROXY + r".*dial .*no such host", UNREACHABLE, "its name cannot be looked up (DNS)"),
    (_AT_PROXY + r"dial .*connection refused", UNREACHABLE, "the connection was refused"),
    (_AT_PROXY + r"dial ", UNREACHABLE, "there is no route to it"),
    (r"socks connect .*authentication", REFUSED, "it did not accept user and password"),
    (r"socks connect .*not allowed by ruleset", REFUSED, "it does not allow this"),
    (r"socks connect .*unknown error", REFUSED, "it could not reach WhatsApp"),
    (r"socks connect .*unexpected protocol", UNTRUSTED, "it is no such proxy"),
    (r"malformed HTTP|unsupported protocol", UNTRUSTED, "it is no such proxy"),
    (r"x509|certificate", UNTRUSTED, "its certificate is not trusted"),
    (r"\btls: |noise handshake failed: (?!.*(EOF|closed|timeout|timed out))", UNTRUSTED, ""),
    (r"timeout|timed out|deadline exceeded|waiting for handshake", UNREACHABLE, SILENT),
    (r"EOF|reset by peer|broken pipe", UNREACHABLE, "the connection was cut"),
)
_PATTERNS = [(re.compile(pattern), reason, detail) for pattern, reason, detail in _ERRORS]
_SOMETHING_ELSE = "it answered with something else"


def proxy_failure(error: str) -> tuple[Reason, str] | None:
    """Return the reason and the detail of a failed dial; None if WhatsApp is to blame."""
    for pattern, reason, detail in _PATTERNS:
        if pattern.search(error):
            if reason is None:
                return None
            return reason, detail or (_SOMETHING_ELSE if reason == UNTRUSTED else "")
    if found := _PHRASE.search(error):
        status = _STATUSES.get(found[1].strip())
        return REFUSED, f"it answered with HTTP status {status}" if status else ""
    return UNREACHABLE, ""
