"""What the library's errors say about an organization's proxy; the texts are the real library's."""

from __future__ import annotations

import pytest

from connections.lifecycle import Reason
from connections.worker.child.go_errors import cause_of
from connections.worker.tasks.proxy_errors import proxy_failure

DIAL = "failed to dial whatsapp web websocket: failed to WebSocket dial: "
GET = f'{DIAL}failed to send handshake request: Get "https://web.whatsapp.com/ws/chat": '
SOCKS = f"{GET}socks connect tcp 192.0.2.1:1080->web.whatsapp.com:443: "
DEAD, REFUSES, LIES = Reason.PROXY_UNREACHABLE, Reason.PROXY_REFUSED, Reason.PROXY_UNTRUSTED


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (f"{GET}proxyconnect tcp: dial tcp 192.0.2.1:1: connect: connection refused", DEAD),
        (f"{GET}proxyconnect tcp: dial tcp 192.0.2.1:1: i/o timeout", DEAD),
        (f"{GET}proxyconnect tcp: dial tcp: lookup p.example: no such host", DEAD),
        (f"{GET}proxyconnect tcp: tls: failed to verify certificate: x509: unknown", LIES),
        (f"{GET}proxyconnect tcp: tls: first record does not look like a TLS handshake", LIES),
        (f"{GET}Proxy Authentication Required", REFUSES),
        (f"{GET}Forbidden", REFUSES),
        (f'{GET}malformed HTTP response "not a database\\x00"', LIES),
        (f"{GET}tls: failed to verify certificate: x509: certificate signed by unknown", LIES),
        (f"{GET}net/http: TLS handshake timeout", DEAD),
        (f"{GET}EOF", DEAD),
        (f"{SOCKS}dial tcp 192.0.2.1:1080: connect: connection refused", DEAD),
        (f"{SOCKS}username/password authentication failed", REFUSES),
        (f"{SOCKS}no acceptable authentication methods", REFUSES),
        (f"{SOCKS}unknown error connection not allowed by ruleset", REFUSES),
        (f"{SOCKS}unknown error host unreachable", REFUSES),
        (f"{SOCKS}unexpected protocol version 72", LIES),
        (f"{DIAL}expected handshake response status code 101 but got 503", None),
        ("noise handshake failed: timed out waiting for handshake response", DEAD),
        ("noise handshake failed: failed to verify server cert", LIES),
        (f"{GET}Blocked by policy", REFUSES),
        (f"{DIAL}something new", DEAD),
    ],
)
def test_error_of_a_dial_names_what_the_proxy_did(error: str, expected: Reason | None) -> None:
    found = proxy_failure(error)
    assert (found and found[0]) == expected
    assert cause_of(error) == "dial", "a stranger's words lead to no other cause"
    assert found is None or "192.0.2.1" not in found[1]
